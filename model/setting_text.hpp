#pragma once
#include <array>
#include <charconv>
#include <string>
#include <string_view>
#include <vector>

#include "model/reader.hpp"
#include "model/selected.hpp"

namespace inferometer {

/// Text and value of one setting: parse_setting says what was expected when the text is wrong; print_setting
/// gives a text that parses to the same value.
inline std::string print_setting(bool value) { return value ? "true" : "false"; }
inline std::string print_setting(std::int64_t value) { return std::to_string(value); }
inline std::string print_setting(std::uint64_t value) { return std::to_string(value); }
inline std::string print_setting(double value) {
  std::array<char, 32> text{};  // the shortest that reads back to the same value
  return {text.data(), std::to_chars(text.data(), text.data() + text.size(), value).ptr};
}
inline std::string print_setting(Bytes value) {
  std::int64_t count = value.value;
  std::string_view unit = "B";
  for (const std::string_view larger : {"KiB", "MiB", "GiB", "TiB"}) {
    if (count == 0 || count % 1024 != 0) break;
    count /= 1024;
    unit = larger;
  }
  return std::to_string(count) + " " + std::string{unit};
}
/// The shortest text that reads back to the same number.
inline std::string print_setting(double value, std::string_view unit) {
  std::array<char, 32> text{};
  const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), value);
  return std::string{text.data(), end} + " " + std::string{unit};
}
inline std::string print_setting(BytesPerSecond value) { return print_setting(value.value, "B/s"); }
inline std::string print_setting(Seconds value) { return print_setting(value.count(), "s"); }
inline std::string print_setting(DType value) { return std::string{name(value)}; }
template <Named E>
std::string print_setting(E value) {
  return std::string{name(value)};
}
inline std::string print_setting(const std::vector<std::int64_t>& values) {
  std::string text;
  for (const std::int64_t v : values) text += (text.empty() ? "" : " ") + std::to_string(v);
  return text;
}
template <class T>
std::string print_setting(const Selected<T>& value) {
  std::string text = print_setting(value.value);
  for (const auto& rule : value.rules) {
    text += " ";
    if (rule.last >= rule.first) text += std::to_string(rule.first) + "-" + std::to_string(rule.last) + "/";
    text += rule.role + "=" + print_setting(rule.value);
  }
  return text;
}

template <class T>
Done parse_scalar_setting(std::string_view text, T& value) {
  Document scalar{.kind = Document::Kind::scalar, .scalar = std::string{text}};
  const Result<T> parsed = parse_value<T>(scalar);
  if (!parsed) return failure(parsed.error());
  value = *parsed;
  return std::monostate{};
}
inline Done parse_setting(std::string_view text, bool& value) { return parse_scalar_setting(text, value); }
inline Done parse_setting(std::string_view text, Bytes& value) { return parse_scalar_setting(text, value); }
inline Done parse_setting(std::string_view text, BytesPerSecond& value) {
  return parse_scalar_setting(text, value);
}
inline Done parse_setting(std::string_view text, Seconds& value) { return parse_scalar_setting(text, value); }
inline Done parse_setting(std::string_view text, DType& value) { return parse_scalar_setting(text, value); }
inline Done parse_setting(std::string_view text, double& value) { return parse_scalar_setting(text, value); }
inline Done parse_setting(std::string_view text, std::int64_t& value) {
  std::int64_t parsed = 0;
  if (auto done = parse_scalar_setting(text, parsed); !done) return done;
  // Sizes of networks and workloads: their products stay inside 64 bits.
  if (parsed < 0 || parsed > 100'000'000)
    return failure("\"" + std::string{text} + "\" is out of range; 0 to 100000000 is possible");
  value = parsed;
  return std::monostate{};
}
inline Done parse_setting(std::string_view text, std::uint64_t& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc{} && end == text.data() + text.size()) return std::monostate{};
  return failure("\"" + std::string{text} + "\" is not a whole number from 0 to 2^64 - 1");
}
template <Named E>
Done parse_setting(std::string_view text, E& value) {
  const auto found = value_named<E>(text);
  if (!found) return failure("\"" + std::string{text} + "\" is not one of " + expected_names<E>());
  value = *found;
  return std::monostate{};
}
/// The words of `text`, split at spaces and commas.
inline std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> words;
  while (true) {
    const std::size_t start = text.find_first_not_of(" ,");
    if (start == std::string_view::npos) return words;
    text.remove_prefix(start);
    const std::size_t end = std::min(text.find_first_of(" ,"), text.size());
    words.push_back(text.substr(0, end));
    text.remove_prefix(end);
  }
}
inline Done parse_setting(std::string_view text, std::vector<std::int64_t>& values) {
  std::vector<std::int64_t> parsed;
  for (const std::string_view word : words_of(text)) {
    std::int64_t value = 0;
    if (auto one = parse_setting(word, value); !one) return one;
    if (!parsed.empty() && value <= parsed.back())
      return failure("\"" + std::string{text} + "\" does not rise");
    parsed.push_back(value);
  }
  values = std::move(parsed);
  return std::monostate{};
}
/// "value [[first-last/]role=value ...]", see Selected.
template <class T>
Done parse_setting(std::string_view text, Selected<T>& value) {
  const std::vector<std::string_view> words = words_of(text);
  if (words.empty()) return failure("is empty; a value is needed");
  Selected<T> parsed;
  if (auto one = parse_setting(words[0], parsed.value); !one) return one;
  for (std::size_t w = 1; w < words.size(); ++w) {
    typename Selected<T>::Rule rule;
    std::string_view word = words[w];
    const std::size_t equals = word.find('='), slash = word.find('/');
    if (equals == std::string_view::npos)
      return failure("\"" + std::string{word} + "\" is not a rule such as lm_head=bf16 or 0-3/*=f32");
    if (auto one = parse_setting(word.substr(equals + 1), rule.value); !one) return one;
    word = word.substr(0, equals);
    if (slash < equals) {
      const std::string_view range = word.substr(0, slash);
      const std::size_t dash = range.find('-');
      if (auto one = parse_setting(range.substr(0, std::min(dash, range.size())), rule.first); !one)
        return one;
      rule.last = rule.first;
      if (dash != std::string_view::npos) {
        if (auto one = parse_setting(range.substr(dash + 1), rule.last); !one) return one;
      }
      if (rule.last < rule.first)
        return failure("\"" + std::string{range} + "\" is an empty range of layers");
      word = word.substr(slash + 1);
    }
    rule.role = std::string{word};
    if (rule.role != "*" && !value_named<Role>(rule.role)) {
      std::vector<std::string> known;
      for (const auto& [role, spelling] : Names<Role>::list) known.emplace_back(spelling);
      const std::string near = nearest(word, known);
      return failure("\"" + rule.role + "\" is not a role" +
                     (near.empty() ? "; see `explain roles`" : "; did you mean \"" + near + "\"?"));
    }
    parsed.rules.push_back(std::move(rule));
  }
  value = std::move(parsed);
  return std::monostate{};
}

}  // namespace inferometer
