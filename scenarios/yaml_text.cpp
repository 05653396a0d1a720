#include "scenarios/yaml_text.hpp"

namespace inferometer {
namespace {

constexpr std::size_t largest = 4 << 20;

/// Bytes of the well-formed UTF-8 sequence at the start of `text`, 0 when there is none.
/// source: The Unicode Standard 15, table 3-7
std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : static_cast<unsigned char>(0);
  };
  const auto within = [&](std::size_t i, unsigned low, unsigned high) {
    return byte(i) >= low && byte(i) <= high;
  };
  const unsigned lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return within(1, 0x80, 0xBF) ? 2 : 0;
  if (lead >= 0xE0 && lead <= 0xEF) {
    // Neither longer than needed nor a surrogate.
    const bool second = within(1, lead == 0xE0 ? 0xA0 : 0x80, lead == 0xED ? 0x9F : 0xBF);
    return second && within(2, 0x80, 0xBF) ? 3 : 0;
  }
  if (lead >= 0xF0 && lead <= 0xF4) {
    const bool second = within(1, lead == 0xF0 ? 0x90 : 0x80, lead == 0xF4 ? 0x8F : 0xBF);
    return second && within(2, 0x80, 0xBF) && within(3, 0x80, 0xBF) ? 4 : 0;
  }
  return 0;
}

bool is_control(unsigned char c) { return (c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7F; }

/// The column (from 0) of a tab that indents something, or npos.
std::size_t indenting_tab(std::string_view line) {
  const std::size_t content = line.find_first_not_of(" \t\r");
  if (content == std::string_view::npos || line[content] == '#') return std::string_view::npos;
  return line.substr(0, content).find('\t');
}

}  // namespace

Errors check_yaml_text(std::string_view text, const std::string& file) {
  if (text.size() > largest) return {{"the file is larger than 4 MiB", {file, 0, 0}}};
  Errors errors;
  for (int number = 1; !text.empty() && errors.size() < 20; ++number) {
    const std::string_view line = text.substr(0, text.find('\n'));
    const auto tell = [&](std::string message, std::size_t column) {
      errors.push_back({std::move(message), {file, number, static_cast<int>(column) + 1}});
    };
    if (const std::size_t tab = indenting_tab(line); tab != std::string_view::npos)
      tell("a tab in the indentation; YAML needs spaces", tab);
    for (std::size_t i = 0; i < line.size();) {
      const std::size_t length = utf8_length(line.substr(i));
      if (length == 0 || is_control(static_cast<unsigned char>(line[i]))) {
        tell(length == 0 ? "bytes that are not UTF-8 text" : "a control character", i);
        break;  // one a line is enough
      }
      i += length;
    }
    text.remove_prefix(std::min(line.size() + 1, text.size()));
  }
  return errors;
}

std::string yaml_quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    // Names that a machine reports may hold anything; a file is read by people.
    out += static_cast<unsigned char>(c) < 0x20 || c == 0x7F ? ' ' : c;
  }
  return out + "\"";
}

}  // namespace inferometer
