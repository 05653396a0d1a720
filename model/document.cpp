#include "model/document.hpp"

#include <algorithm>
#include <cstdint>

namespace inferometer {
namespace {

constexpr int deepest = 64;

/// Recursive descent over RFC 8259, keeping places. Throws Error internally; parse_json turns it into a
/// value.
class JsonParser {
 public:
  JsonParser(std::string_view text, const std::string& file) : text_(text), file_(file) {}

  Document document() {
    space();
    Document root = value(0);
    space();
    if (at_ < text_.size()) fail("text after the end of the JSON value");
    return root;
  }

 private:
  [[noreturn]] void fail(const std::string& message) const { throw Error{message, here()}; }
  Location here() const { return {file_, line_, static_cast<int>(at_ - line_start_) + 1}; }
  bool more() const { return at_ < text_.size(); }
  char peek() const { return more() ? text_[at_] : '\0'; }

  void space() {
    while (more()) {
      const char c = text_[at_];
      if (c == '\n') {
        ++at_;
        ++line_;
        line_start_ = at_;
      } else if (c == ' ' || c == '\t' || c == '\r') {
        ++at_;
      } else {
        return;
      }
    }
  }

  Document value(int depth) {
    if (depth > deepest) fail("nested deeper than " + std::to_string(deepest) + " levels");
    if (!more()) fail("the text ends where a value is needed");
    Document d;
    d.where = here();
    switch (peek()) {
      case '{':
        object(d, depth);
        return d;
      case '[':
        array(d, depth);
        return d;
      case '"':
        d.kind = Document::Kind::scalar;
        d.quoted = true;
        d.scalar = string();
        return d;
      default:
        literal(d);
        return d;
    }
  }

  void object(Document& d, int depth) {
    d.kind = Document::Kind::mapping;
    ++at_;
    space();
    if (peek() == '}') return void(++at_);
    while (true) {
      space();
      const Location where = here();
      if (peek() != '"') fail("a key in double quotes is needed");
      std::string key = string();
      for (const Document::Entry& e : d.mapping) {
        if (e.key == key)
          throw Error{"repeated key \"" + key + "\"; first at line " + std::to_string(e.key_where.line),
                      where};
      }
      space();
      if (peek() != ':') fail("':' is needed after the key \"" + key + "\"");
      ++at_;
      space();
      d.mapping.push_back({std::move(key), where, value(depth + 1)});
      space();
      if (peek() == ',') {
        ++at_;
        continue;
      }
      if (peek() != '}') fail("',' or '}' is needed");
      return void(++at_);
    }
  }

  void array(Document& d, int depth) {
    d.kind = Document::Kind::sequence;
    ++at_;
    space();
    if (peek() == ']') return void(++at_);
    while (true) {
      space();
      d.sequence.push_back(value(depth + 1));
      space();
      if (peek() == ',') {
        ++at_;
        continue;
      }
      if (peek() != ']') fail("',' or ']' is needed");
      return void(++at_);
    }
  }

  void literal(Document& d) {
    const std::size_t start = at_;
    while (more() && std::string_view{",]}: \t\r\n\"[{"}.find(text_[at_]) == std::string_view::npos) ++at_;
    d.scalar = std::string{text_.substr(start, at_ - start)};
    d.kind = d.scalar == "null" ? Document::Kind::null : Document::Kind::scalar;
    if (d.scalar == "null" || d.scalar == "true" || d.scalar == "false" || is_number(d.scalar)) return;
    at_ = start;
    fail(d.scalar.empty() ? std::string{"a value is needed"}
                          : "\"" + printable(d.scalar) + "\" is not a JSON value");
  }

  static std::string printable(std::string text) {
    if (text.size() > 40) text = text.substr(0, 40) + "...";
    std::replace_if(
        text.begin(), text.end(), [](char c) { return c < 32 || c == 127; }, '?');
    return text;
  }

  static bool is_number(std::string_view s) {
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

  std::string string() {
    std::string result;
    ++at_;
    while (true) {
      if (!more()) fail("the text ends inside a string");
      const char c = text_[at_];
      if (static_cast<unsigned char>(c) < 0x20) fail("a control character inside a string");
      ++at_;
      if (c == '"') return result;
      if (c == '\\') {
        escape(result);
      } else {
        result += c;
      }
    }
  }

  void escape(std::string& result) {
    const std::string_view from = "\"\\/bfnrt", to = "\"\\/\b\f\n\r\t";
    const char c = peek();
    if (c == 'u') {
      ++at_;
      std::uint32_t code = unit();
      if (code >= 0xD800 && code < 0xDC00) {
        if (!text_.substr(at_).starts_with("\\u")) fail("half of a surrogate pair");
        at_ += 2;
        const std::uint32_t low = unit();
        if (low < 0xDC00 || low > 0xDFFF) fail("half of a surrogate pair");
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
      } else if (code >= 0xDC00 && code < 0xE000) {
        fail("half of a surrogate pair");
      }
      append_utf8(result, code);
      return;
    }
    const std::size_t which = c == '\0' ? std::string_view::npos : from.find(c);
    if (which == std::string_view::npos) fail("an unknown escape in a string");
    ++at_;
    result += to[which];
  }

  std::uint32_t unit() {
    std::uint32_t code = 0;
    for (int i = 0; i < 4; ++i, ++at_) {
      const char c = peek();
      const int digit = c >= '0' && c <= '9'   ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
      if (digit < 0) fail("\\u needs four hexadecimal digits");
      code = code * 16 + static_cast<std::uint32_t>(digit);
    }
    return code;
  }

  static void append_utf8(std::string& s, std::uint32_t c) {
    const auto byte = [&](std::uint32_t b) { s += static_cast<char>(b); };
    if (c < 0x80) return byte(c);
    if (c < 0x800) return byte(0xC0 | c >> 6), byte(0x80 | (c & 0x3F));
    if (c < 0x10000) return byte(0xE0 | c >> 12), byte(0x80 | (c >> 6 & 0x3F)), byte(0x80 | (c & 0x3F));
    byte(0xF0 | c >> 18), byte(0x80 | (c >> 12 & 0x3F)), byte(0x80 | (c >> 6 & 0x3F)),
        byte(0x80 | (c & 0x3F));
  }

  std::string_view text_;
  const std::string& file_;
  std::size_t at_ = 0, line_start_ = 0;
  int line_ = 1;
};

}  // namespace

Result<Document> parse_json(std::string_view text, const std::string& file) {
  try {
    return JsonParser(text, file).document();
  } catch (const Error& error) {
    return failure({error});
  }
}

}  // namespace inferometer
