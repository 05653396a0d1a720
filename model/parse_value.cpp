#include <charconv>

#include "model/parse_quantity.hpp"
#include "model/reader.hpp"

namespace inferometer {

Result<std::string_view> plain_scalar(const Document& value, std::string_view wanted) {
  const auto needed = [&](const char* is) {
    return failure(is + std::string{"; "} + std::string{wanted} + " is needed");
  };
  switch (value.kind) {
    case Document::Kind::null:
      return needed("is empty");
    case Document::Kind::sequence:
      return needed("is a list");
    case Document::Kind::mapping:
      return needed("is a mapping");
    case Document::Kind::scalar:
      break;
  }
  return std::string_view{value.scalar};
}

std::size_t leading_number(std::string_view text) {
  const auto digits = [&](std::size_t i) {
    while (i < text.size() && text[i] >= '0' && text[i] <= '9') ++i;
    return i;
  };
  const std::size_t first = text.starts_with('-') ? 1 : 0;
  std::size_t end = digits(first);
  if (end == first || (end - first > 1 && text[first] == '0')) return 0;
  if (end < text.size() && text[end] == '.') {
    const std::size_t fraction = digits(end + 1);
    if (fraction == end + 1) return 0;
    end = fraction;
  }
  if (end < text.size() && (text[end] == 'e' || text[end] == 'E')) {
    const std::size_t sign = end + 1 < text.size() && (text[end + 1] == '+' || text[end + 1] == '-');
    const std::size_t exponent = digits(end + 1 + sign);
    if (exponent > end + 1 + sign) end = exponent;
  }
  return end;
}

Result<double> number_of(std::string_view digits) {
  double value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error == std::errc::result_out_of_range)
    return failure(in_quotes(digits) + " is too large or too small");
  require(error == std::errc{} && end == digits.data() + digits.size(), "not a number");
  return value;
}

template <>
Result<std::string> parse_value<std::string>(const Document& value) {
  const Result<std::string_view> text = plain_scalar(value, "a text");
  if (!text) return failure(text.error());
  if (text->empty()) return failure("is empty; a text is needed");
  return std::string{*text};
}

template <>
Result<bool> parse_value<bool>(const Document& value) {
  const Result<std::string_view> text = plain_scalar(value, "true or false");
  if (!text) return failure(text.error());
  if (!value.quoted && *text == "true") return true;
  if (!value.quoted && *text == "false") return false;
  return failure(in_quotes(*text) + " is not true or false");
}

template <>
Result<std::int64_t> parse_value<std::int64_t>(const Document& value) {
  const Result<std::string_view> text = plain_scalar(value, "a whole number");
  if (!text) return failure(text.error());
  if (value.quoted) return failure(in_quotes(*text) + " is text; a whole number is needed");
  std::string_view digits = *text;
  if (digits.starts_with('-')) digits.remove_prefix(1);
  if (digits.empty() || digits.find_first_not_of("0123456789") != std::string_view::npos)
    return failure(in_quotes(*text) + " is not a whole number in plain digits");
  if (digits.size() > 1 && digits[0] == '0')
    return failure(in_quotes(*text) + " begins with 0, which could be octal; leave the 0 out");
  std::int64_t number = 0;
  if (std::from_chars(text->data(), text->data() + text->size(), number).ec != std::errc{})
    return failure(in_quotes(*text) + " does not fit 64 bits");
  return number;
}

template <>
Result<double> parse_value<double>(const Document& value) {
  const Result<std::string_view> text = plain_scalar(value, "a number");
  if (!text) return failure(text.error());
  if (value.quoted) return failure(in_quotes(*text) + " is text; a number is needed");
  const std::size_t length = leading_number(*text);
  if (length == 0 || length != text->size()) return failure(in_quotes(*text) + " is not a plain number");
  return number_of(*text);
}

template <>
Result<DType> parse_value<DType>(const Document& value) {
  const Result<std::string_view> text = plain_scalar(value, "a dtype");
  if (!text) return failure(text.error());
  if (const auto dtype = dtype_named(*text)) return *dtype;
  std::string known;
  for (const DTypeInfo& info : dtypes) known += (known.empty() ? "" : ", ") + std::string{info.name};
  return failure(in_quotes(*text) + " is not a dtype; expected one of " + known);
}

}  // namespace inferometer
