#include <cstdint>

#include "model/json_cursor.hpp"

namespace inferometer {
namespace {

std::uint32_t hexadecimal_unit(JsonCursor& in) {
  std::uint32_t code = 0;
  for (int i = 0; i < 4; ++i) {
    const char c = in.peek();
    const int digit = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : -1;
    if (digit < 0) in.fail("\\u needs four hexadecimal digits");
    code = code * 16 + static_cast<std::uint32_t>(digit);
    in.skip(1);
  }
  return code;
}

void append_utf8(std::string& s, std::uint32_t c) {
  const auto byte = [&](std::uint32_t b) { s += static_cast<char>(b); };
  if (c < 0x80) {
    byte(c);
  } else if (c < 0x800) {
    byte(0xC0 | (c >> 6));
    byte(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    byte(0xE0 | (c >> 12));
    byte(0x80 | ((c >> 6) & 0x3F));
    byte(0x80 | (c & 0x3F));
  } else {
    byte(0xF0 | (c >> 18));
    byte(0x80 | ((c >> 12) & 0x3F));
    byte(0x80 | ((c >> 6) & 0x3F));
    byte(0x80 | (c & 0x3F));
  }
}

/// What follows a backslash.
void read_escape(JsonCursor& in, std::string& result) {
  const std::string_view from = "\"\\/bfnrt", to = "\"\\/\b\f\n\r\t";
  if (!in.take('u')) {
    const std::size_t which = in.more() ? from.find(in.peek()) : std::string_view::npos;
    if (which == std::string_view::npos) in.fail("an unknown escape in a string");
    in.skip(1);
    result += to[which];
    return;
  }
  std::uint32_t code = hexadecimal_unit(in);
  if (code >= 0xDC00 && code < 0xE000) in.fail("half of a surrogate pair");
  if (code >= 0xD800 && code < 0xDC00) {
    if (!in.rest().starts_with("\\u")) in.fail("half of a surrogate pair");
    in.skip(2);
    const std::uint32_t low = hexadecimal_unit(in);
    if (low < 0xDC00 || low > 0xDFFF) in.fail("half of a surrogate pair");
    code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
  }
  append_utf8(result, code);
}

}  // namespace

std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : static_cast<unsigned char>(0);
  };
  const auto continues = [&](std::size_t i, unsigned low = 0x80, unsigned high = 0xBF) {
    return byte(i) >= low && byte(i) <= high;
  };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return continues(1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    const bool second = continues(1, first == 0xE0 ? 0xA0 : 0x80, first == 0xED ? 0x9F : 0xBF);
    return second && continues(2) ? 3 : 0;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    const bool second = continues(1, first == 0xF0 ? 0x90 : 0x80, first == 0xF4 ? 0x8F : 0xBF);
    return second && continues(2) && continues(3) ? 4 : 0;
  }
  return 0;
}

std::string read_json_string(JsonCursor& in) {
  std::string result;
  in.skip(1);
  while (!in.take('"')) {
    if (!in.more()) in.fail("the text ends inside a string");
    if (in.take('\\')) {
      read_escape(in, result);
      continue;
    }
    if (static_cast<unsigned char>(in.peek()) < 0x20) in.fail("a control character inside a string");
    const std::size_t bytes = utf8_length(in.rest());
    if (bytes == 0) in.fail("bytes inside a string that are not UTF-8");
    result += in.rest().substr(0, bytes);
    in.skip(bytes);
  }
  return result;
}

bool is_json_number(std::string_view s) {
  std::size_t i = s.starts_with('-') ? 1 : 0;
  const auto digits = [&] {
    const std::size_t from = i;
    while (i < s.size() && s[i] >= '0' && s[i] <= '9') ++i;
    return i - from;
  };
  const bool zero = i < s.size() && s[i] == '0';
  const std::size_t whole = digits();
  if (whole == 0 || (zero && whole > 1)) return false;
  if (i < s.size() && s[i] == '.') {
    ++i;
    if (digits() == 0) return false;
  }
  if (i < s.size() && (s[i] == 'e' || s[i] == 'E')) {
    ++i;
    if (i < s.size() && (s[i] == '+' || s[i] == '-')) ++i;
    if (digits() == 0) return false;
  }
  return i == s.size();
}

}  // namespace inferometer
