#include <array>
#include <charconv>
#include <cmath>
#include <limits>

#include "model/reader.hpp"

namespace inferometer {
namespace {

std::string quoted(const std::string& text) { return "\"" + text + "\""; }

Result<std::string_view> plain_scalar(const Document& value, std::string_view wanted) {
  switch (value.kind) {
    case Document::Kind::null:
      return failure("is empty; " + std::string{wanted} + " is needed");
    case Document::Kind::sequence:
      return failure("is a list; " + std::string{wanted} + " is needed");
    case Document::Kind::mapping:
      return failure("is a mapping; " + std::string{wanted} + " is needed");
    case Document::Kind::scalar:
      break;
  }
  return std::string_view{value.scalar};
}

/// The longest prefix of `text` that is a plain decimal number, or nothing. No hexadecimal, octal, infinity
/// or NaN.
std::optional<double> leading_number(std::string_view text, std::size_t& length) {
  std::size_t i = text.starts_with('-') ? 1 : 0;
  const std::size_t digits_from = i;
  while (i < text.size() && text[i] >= '0' && text[i] <= '9') ++i;
  const std::size_t whole = i - digits_from;
  if (whole == 0 || (whole > 1 && text[digits_from] == '0')) return std::nullopt;
  if (i + 1 < text.size() && text[i] == '.' && text[i + 1] >= '0' && text[i + 1] <= '9') {
    ++i;
    while (i < text.size() && text[i] >= '0' && text[i] <= '9') ++i;
  }
  std::size_t e = i;
  if (e < text.size() && (text[e] == 'e' || text[e] == 'E')) {
    ++e;
    if (e < text.size() && (text[e] == '+' || text[e] == '-')) ++e;
    const std::size_t from = e;
    while (e < text.size() && text[e] >= '0' && text[e] <= '9') ++e;
    if (e > from) i = e;
  }
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + i, value);
  if (error != std::errc{} || end != text.data() + i || !std::isfinite(value)) return std::nullopt;
  length = i;
  return value;
}

struct Unit {
  std::string_view text;
  std::string_view dimension;
  double factor;
};
constexpr std::array units{
    Unit{"B", "size", 1},
    Unit{"kB", "size", 1e3},
    Unit{"MB", "size", 1e6},
    Unit{"GB", "size", 1e9},
    Unit{"TB", "size", 1e12},
    Unit{"KiB", "size", 1024},
    Unit{"MiB", "size", 1048576},
    Unit{"GiB", "size", 1073741824},
    Unit{"TiB", "size", 1099511627776},
    Unit{"B/s", "rate", 1},
    Unit{"kB/s", "rate", 1e3},
    Unit{"MB/s", "rate", 1e6},
    Unit{"GB/s", "rate", 1e9},
    Unit{"TB/s", "rate", 1e12},
    Unit{"MiB/s", "rate", 1048576},
    Unit{"GiB/s", "rate", 1073741824},
    Unit{"TiB/s", "rate", 1099511627776},
    Unit{"FLOP/s", "speed", 1},
    Unit{"MFLOP/s", "speed", 1e6},
    Unit{"GFLOP/s", "speed", 1e9},
    Unit{"TFLOP/s", "speed", 1e12},
    Unit{"PFLOP/s", "speed", 1e15},
    Unit{"Hz", "frequency", 1},
    Unit{"kHz", "frequency", 1e3},
    Unit{"MHz", "frequency", 1e6},
    Unit{"GHz", "frequency", 1e9},
    Unit{"W", "power", 1},
    Unit{"mW", "power", 1e-3},
    Unit{"kW", "power", 1e3},
    Unit{"s", "time", 1},
    Unit{"ms", "time", 1e-3},
    Unit{"us", "time", 1e-6},
    Unit{"ns", "time", 1e-9},
};

struct Dimension {
  std::string_view name, needed, example;
};
constexpr std::array dimensions{
    Dimension{"size", "a size is needed", "80 GiB"},
    Dimension{"rate", "a rate is needed", "4.8 TB/s"},
    Dimension{"speed", "a speed is needed", "989 TFLOP/s"},
    Dimension{"frequency", "a frequency is needed", "1.83 GHz"},
    Dimension{"power", "a power is needed", "700 W"},
    Dimension{"time", "a time is needed", "3 us"},
};
const Dimension& dimension_named(std::string_view name) {
  for (const Dimension& d : dimensions) {
    if (d.name == name) return d;
  }
  require(false, "a dimension that is not in the list");
  return dimensions[0];
}

/// A number with a unit of `wanted`, in base units.
Result<double> quantity(const Document& value, std::string_view wanted) {
  const Dimension& d = dimension_named(wanted);
  const std::string needed = std::string{d.needed} + ", such as " + quoted(std::string{d.example});
  const Result<std::string_view> text = plain_scalar(value, needed);
  if (!text) return failure(text.error());
  const std::string spelled = quoted(std::string{*text});
  std::size_t length = 0;
  const std::optional<double> number = leading_number(*text, length);
  if (!number) return failure(spelled + " is not a number with a unit; " + needed);
  std::string_view unit = text->substr(length);
  while (unit.starts_with(' ')) unit.remove_prefix(1);
  if (unit.empty()) return failure(spelled + " has no unit; " + needed);
  if (*number < 0) return failure(spelled + " is negative");
  std::vector<std::string> known;
  for (const Unit& u : units) {
    if (u.text == unit && u.dimension == wanted) return *number * u.factor;
    if (u.dimension == wanted) known.emplace_back(u.text);
  }
  for (const Unit& u : units) {
    if (u.text == unit) return failure(spelled + " is a " + std::string{u.dimension} + "; " + needed);
  }
  if (unit.find("bit") != std::string_view::npos ||
      (unit.find('b') != std::string_view::npos && unit.find('B') == std::string_view::npos)) {
    return failure(spelled + " counts bits; bytes are needed, such as " + quoted(std::string{d.example}));
  }
  const std::string near = nearest(unit, known);
  return failure(spelled + " has the unknown unit " + quoted(std::string{unit}) + "; " +
                 (near.empty() ? needed : "did you mean " + quoted(near) + "?"));
}

}  // namespace

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
  return failure(quoted(std::string{*text}) + " is not true or false");
}

template <>
Result<std::int64_t> parse_value<std::int64_t>(const Document& value) {
  const Result<std::string_view> text = plain_scalar(value, "a whole number");
  if (!text) return failure(text.error());
  const std::string spelled = quoted(std::string{*text});
  std::string_view digits = *text;
  if (digits.starts_with('-')) digits.remove_prefix(1);
  const bool plain = !digits.empty() && digits.find_first_not_of("0123456789") == std::string_view::npos;
  if (!plain || value.quoted) return failure(spelled + " is not a whole number");
  if (digits.size() > 1 && digits[0] == '0')
    return failure(spelled + " begins with 0, which could be octal; leave the 0 out");
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
  if (error != std::errc{}) return failure(spelled + " is too large");
  return number;
}

template <>
Result<double> parse_value<double>(const Document& value) {
  const Result<std::string_view> text = plain_scalar(value, "a number");
  if (!text) return failure(text.error());
  std::size_t length = 0;
  const std::optional<double> number = leading_number(*text, length);
  if (!number || length != text->size() || value.quoted)
    return failure(quoted(std::string{*text}) + " is not a number");
  return *number;
}

template <>
Result<DType> parse_value<DType>(const Document& value) {
  const Result<std::string_view> text = plain_scalar(value, "a dtype");
  if (!text) return failure(text.error());
  if (const auto dtype = dtype_named(*text)) return *dtype;
  std::string known;
  for (const DTypeInfo& info : dtypes) known += (known.empty() ? "" : ", ") + std::string{info.name};
  return failure(quoted(std::string{*text}) + " is not a dtype; expected one of " + known);
}

template <>
Result<Bytes> parse_value<Bytes>(const Document& value) {
  const Result<double> number = quantity(value, "size");
  if (!number) return failure(number.error());
  if (*number > 9e18) return failure(quoted(value.scalar) + " is too large");
  return Bytes{static_cast<std::int64_t>(std::llround(*number))};
}

/// Quantities that are held as doubles.
#define INFEROMETER_QUANTITY(Type, dimension)                 \
  template <>                                                 \
  Result<Type> parse_value<Type>(const Document& value) {     \
    const Result<double> number = quantity(value, dimension); \
    if (!number) return failure(number.error());              \
    return Type{*number};                                     \
  }
INFEROMETER_QUANTITY(BytesPerSecond, "rate")
INFEROMETER_QUANTITY(FlopsPerSecond, "speed")
INFEROMETER_QUANTITY(Hertz, "frequency")
INFEROMETER_QUANTITY(Watts, "power")
INFEROMETER_QUANTITY(Seconds, "time")
#undef INFEROMETER_QUANTITY

}  // namespace inferometer
