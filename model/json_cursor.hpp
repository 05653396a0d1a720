#pragma once
#include <string>
#include <string_view>

#include "model/result.hpp"

namespace inferometer {

/// A place in JSON text that moves forward. Failing throws Error, which parse_json turns into a value.
class JsonCursor {
 public:
  JsonCursor(std::string_view text, const std::string& file) : text_(text), file_(file) {}

  bool more() const { return at_ < text_.size(); }
  /// The next character, NUL at the end.
  char peek() const { return more() ? text_[at_] : '\0'; }
  std::string_view rest() const { return text_.substr(at_); }
  void skip(std::size_t bytes) { at_ += bytes; }
  void skip_space() {
    for (; more(); ++at_) {
      const char c = text_[at_];
      if (c == '\n') {
        ++line_;
        column_ = 1;
        counted_ = at_ + 1;
      } else if (c != ' ' && c != '\t' && c != '\r') {
        return;
      }
    }
  }
  bool take(char wanted) {
    if (!more() || peek() != wanted) return false;
    ++at_;
    return true;
  }
  /// Columns count characters, not bytes, as editors do.
  Location here() {
    for (; counted_ < at_; ++counted_)
      column_ += (static_cast<unsigned char>(text_[counted_]) & 0xC0) != 0x80;
    return {file_, line_, column_};
  }
  [[noreturn]] void fail(const std::string& message) { throw Error{message, here()}; }
  [[noreturn]] void fail_needed(const std::string& what) {
    fail(more() ? what + " is needed" : "the text ends where " + what + " is needed");
  }

 private:
  std::string_view text_;
  const std::string& file_;
  std::size_t at_ = 0, counted_ = 0;
  int line_ = 1, column_ = 1;
};

/// Bytes of the UTF-8 character that `text` begins with, 0 where it is none: overlong forms, surrogates and
/// values above U+10FFFF are none (RFC 3629).
std::size_t utf8_length(std::string_view text);
/// Reads a string in double quotes at the cursor; the text must be UTF-8.
std::string read_json_string(JsonCursor& in);
bool is_json_number(std::string_view text);

}  // namespace inferometer
