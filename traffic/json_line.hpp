#pragma once
#include <algorithm>
#include <optional>
#include <string_view>

namespace inferometer {

/// Why a text is no JSON, and where in it.
struct JsonMistake {
  const char* what;
  std::size_t at;
};

constexpr std::size_t skip_blanks(std::string_view text, std::size_t at) {
  return std::min(text.find_first_not_of(" \t\r", at), text.size());
}

/// Behind the JSON value at `at`: a string, a list, an object, or what runs up to a comma, a bracket or a
/// blank. npos where it does not end. What is inside is not judged.
constexpr std::size_t end_of_json(std::string_view text, std::size_t at) {
  int depth = 0;
  bool quoted = false;
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (quoted) {
      if (c == '\\') ++at;
      if (c == '"' && (quoted = false, depth == 0)) return at + 1;
    } else if (c == '"') {
      quoted = true;
    } else if (c == '[' || c == '{') {
      ++depth;
    } else if (c == ']' || c == '}') {
      if (depth == 0) return at;
      if (--depth == 0) return at + 1;
    } else if (depth == 0 && (c == ',' || c == ' ' || c == '\t' || c == '\r')) {
      return at;
    }
  }
  return depth == 0 && !quoted ? text.size() : std::string_view::npos;
}

/// Calls visit(value, its place in `text`) for each item of a JSON list, and visit(key, value, its place) for
/// each member of an object, where `text` is that and nothing else. Strings keep their quotes as values.
template <char open, class Visit>
std::optional<JsonMistake> for_each_json(std::string_view text, Visit visit) {
  constexpr bool object = open == '{';
  constexpr char close = object ? '}' : ']';
  std::size_t at = skip_blanks(text, 0);
  if (at == text.size() || text[at] != open) return JsonMistake{object ? "an object" : "a list", at};
  at = skip_blanks(text, at + 1);
  for (bool first = true; at < text.size() && (!first || text[at] != close); first = false) {
    std::string_view key;
    if constexpr (object) {
      const std::size_t end = text[at] == '"' ? end_of_json(text, at) : std::string_view::npos;
      if (end == std::string_view::npos) return JsonMistake{"a key in quotes", at};
      key = text.substr(at + 1, end - at - 2);
      at = skip_blanks(text, end);
      if (at == text.size() || text[at] != ':') return JsonMistake{"a colon", at};
      at = skip_blanks(text, at + 1);
    }
    const std::size_t end = end_of_json(text, at);
    if (end == std::string_view::npos || end == at) return JsonMistake{"a value that ends", at};
    if constexpr (object) {
      visit(key, text.substr(at, end - at), at);
    } else {
      visit(text.substr(at, end - at), at);
    }
    at = skip_blanks(text, end);
    if (at < text.size() && text[at] == close) break;
    if (at == text.size() || text[at] != ',') return JsonMistake{"a comma or the end", at};
    at = skip_blanks(text, at + 1);
  }
  if (at == text.size()) return JsonMistake{object ? "a }" : "a ]", at};
  at = skip_blanks(text, at + 1);
  if (at != text.size()) return JsonMistake{"the end of the line", at};
  return std::nullopt;
}

}  // namespace inferometer
