#include "model/parse_quantity.hpp"

#include <array>
#include <charconv>
#include <cmath>

#include "model/reader.hpp"

namespace inferometer {
namespace {

struct Dimension {
  std::string_view name, needed, example;
};
constexpr Dimension size{"size", "a size is needed", "80 GiB"};
constexpr Dimension rate{"rate", "a rate is needed", "4.8 TB/s"};
constexpr Dimension speed{"speed", "a speed is needed", "989 TFLOP/s"};
constexpr Dimension frequency{"frequency", "a frequency is needed", "1.83 GHz"};
constexpr Dimension power{"power", "a power is needed", "700 W"};
constexpr Dimension price{"price", "a price is needed", "2.5 $/h"};
constexpr Dimension duration{"time", "a time is needed", "3 us"};

struct Unit {
  std::string_view text;
  const Dimension& dimension;
  double factor;
};
constexpr std::array units{
    Unit{"B", size, 1},
    Unit{"kB", size, 1e3},
    Unit{"MB", size, 1e6},
    Unit{"GB", size, 1e9},
    Unit{"TB", size, 1e12},
    Unit{"KiB", size, 1024},
    Unit{"MiB", size, 1048576},
    Unit{"GiB", size, 1073741824},
    Unit{"TiB", size, 1099511627776},
    Unit{"B/s", rate, 1},
    Unit{"kB/s", rate, 1e3},
    Unit{"MB/s", rate, 1e6},
    Unit{"GB/s", rate, 1e9},
    Unit{"TB/s", rate, 1e12},
    Unit{"MiB/s", rate, 1048576},
    Unit{"GiB/s", rate, 1073741824},
    Unit{"TiB/s", rate, 1099511627776},
    Unit{"FLOP/s", speed, 1},
    Unit{"MFLOP/s", speed, 1e6},
    Unit{"GFLOP/s", speed, 1e9},
    Unit{"TFLOP/s", speed, 1e12},
    Unit{"PFLOP/s", speed, 1e15},
    Unit{"Hz", frequency, 1},
    Unit{"kHz", frequency, 1e3},
    Unit{"MHz", frequency, 1e6},
    Unit{"GHz", frequency, 1e9},
    Unit{"mW", power, 1e-3},
    Unit{"W", power, 1},
    Unit{"kW", power, 1e3},
    Unit{"$/h", price, 1},
    Unit{"ns", duration, 1e-9},
    Unit{"us", duration, 1e-6},
    Unit{"ms", duration, 1e-3},
    Unit{"s", duration, 1},
};

/// "Gb", "Gbit/s", "Tbps": a lower-case b after at most a prefix.
bool counts_bits(std::string_view unit) {
  if (!unit.empty() && std::string_view{"kKmMgGtTpP"}.find(unit[0]) != std::string_view::npos)
    unit.remove_prefix(1);
  if (unit.starts_with('i')) unit.remove_prefix(1);
  for (const std::string_view bits : {"bits", "bit", "b"}) {
    if (!unit.starts_with(bits)) continue;
    const std::string_view rest = unit.substr(bits.size());
    if (rest.empty() || rest == "/s" || rest == "ps") return true;
  }
  return false;
}

/// A text cut into its number and its unit.
struct Split {
  std::string_view number;
  const Unit* unit;
};

std::string needed(const Dimension& d) { return std::string{d.needed} + ", such as " + in_quotes(d.example); }

/// What is wrong with a unit that is not one of `wanted`.
std::string wrong_unit(std::string_view text, std::string_view unit, const Dimension& wanted) {
  std::vector<std::string> known;
  std::string list;
  for (const Unit& u : units) {
    if (u.text == unit)
      return in_quotes(text) + " is a " + std::string{u.dimension.name} + "; " + needed(wanted);
    if (&u.dimension != &wanted) continue;
    known.emplace_back(u.text);
    list += (list.empty() ? "" : ", ") + known.back();
  }
  if (unit.empty()) return in_quotes(text) + " has no unit (" + list + "); " + needed(wanted);
  if (counts_bits(unit)) return in_quotes(text) + " counts bits; " + needed(wanted);
  const std::string near = nearest(unit, known);
  return in_quotes(text) + " has the unknown unit " + in_quotes(unit) + "; " +
         (near.empty() ? needed(wanted) : "did you mean " + in_quotes(near) + "?");
}

Result<Split> split(const Document& value, const Dimension& wanted) {
  const Result<std::string_view> text =
      plain_scalar(value, wanted.needed.substr(0, wanted.needed.find(" is ")));
  if (!text) return failure(text.error());
  const std::size_t length = leading_number(*text);
  if (length == 0) return failure(in_quotes(*text) + " is not a number with a unit; " + needed(wanted));
  std::string_view unit = text->substr(length);
  while (unit.starts_with(' ')) unit.remove_prefix(1);
  const std::string_view number = text->substr(0, length);
  for (const Unit& u : units) {
    if (u.text != unit || &u.dimension != &wanted) continue;
    if (number.starts_with('-')) return failure(in_quotes(*text) + " is negative");
    return Split{number, &u};
  }
  return failure(wrong_unit(*text, unit, wanted));
}

/// A number with a unit of `wanted`, in base units.
Result<double> quantity(const Document& value, const Dimension& wanted) {
  const Result<Split> parts = split(value, wanted);
  if (!parts) return failure(parts.error());
  const Result<double> number = number_of(parts->number);
  if (!number) return failure(number.error());
  const double base = *number * parts->unit->factor;
  if (!std::isfinite(base)) return failure(in_quotes(value.scalar) + " is too large");
  return base;
}

}  // namespace

/// Whole numbers of a unit are exact; fractions are rounded to the nearest byte.
template <>
Result<Bytes> parse_value<Bytes>(const Document& value) {
  const Result<Split> parts = split(value, size);
  if (!parts) return failure(parts.error());
  const auto factor = static_cast<std::int64_t>(parts->unit->factor);
  std::int64_t whole = 0, bytes = 0;
  const char* const end = parts->number.data() + parts->number.size();
  const auto [stopped, error] = std::from_chars(parts->number.data(), end, whole);
  if (stopped == end && error == std::errc{}) {
    if (__builtin_mul_overflow(whole, factor, &bytes))
      return failure(in_quotes(value.scalar) + " is too large");
    return Bytes{bytes};
  }
  const Result<double> number = quantity(value, size);
  if (!number) return failure(number.error());
  if (*number > 9e18) return failure(in_quotes(value.scalar) + " is too large");
  if (factor == 1 && *number != std::floor(*number))
    return failure(in_quotes(value.scalar) + " is not a whole number of bytes");
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
INFEROMETER_QUANTITY(BytesPerSecond, rate)
INFEROMETER_QUANTITY(FlopsPerSecond, speed)
INFEROMETER_QUANTITY(Hertz, frequency)
INFEROMETER_QUANTITY(Watts, power)
INFEROMETER_QUANTITY(DollarsPerHour, price)
INFEROMETER_QUANTITY(Seconds, duration)
#undef INFEROMETER_QUANTITY

}  // namespace inferometer
