#include "traffic/numbers.hpp"

#include <charconv>
#include <chrono>
#include <utility>

namespace inferometer {
namespace {

constexpr std::int64_t most = 8'000'000'000'000'000'000;

constexpr bool digit(char c) { return c >= '0' && c <= '9'; }

/// Takes the digits at the front as billionths, rounded.
std::int64_t take_billionths(std::string_view& text) {
  std::int64_t value = 0, unit = 100'000'000;
  bool rounded = false;
  for (; !text.empty() && digit(text.front()); text.remove_prefix(1)) {
    if (unit == 0 && !std::exchange(rounded, true)) value += text.front() >= '5';
    value += (text.front() - '0') * unit;
    unit /= 10;
  }
  return value;
}

/// Takes exactly `length` digits from the front.
std::optional<int> take_digits(std::string_view& text, std::size_t length) {
  if (text.size() < length) return std::nullopt;
  int value = 0;
  for (const char c : text.substr(0, length)) {
    if (!digit(c)) return std::nullopt;
    value = 10 * value + (c - '0');
  }
  text.remove_prefix(length);
  return value;
}

bool take(std::string_view& text, std::string_view one_of) {
  if (text.empty() || one_of.find(text.front()) == std::string_view::npos) return false;
  text.remove_prefix(1);
  return true;
}

/// Minutes east of UTC of "", "Z", "+02:00".
std::optional<std::int64_t> zone_minutes(std::string_view text) {
  if (text.empty() || text == "Z") return 0;
  const bool west = text.front() == '-';
  if (!take(text, "+-")) return std::nullopt;
  const auto hours = take_digits(text, 2);
  const bool separated = take(text, ":");
  const auto minutes = text.empty() && !separated ? std::optional{0} : take_digits(text, 2);
  if (!hours || !minutes || *hours > 23 || *minutes > 59 || !text.empty()) return std::nullopt;
  return (west ? -1 : 1) * (60 * *hours + *minutes);
}

}  // namespace

std::optional<std::int64_t> parse_scaled(std::string_view text, std::int64_t scale) {
  std::int64_t whole = 0;
  const char* const last = text.data() + text.size();
  auto [end, error] = std::from_chars(text.data(), last, whole);
  const bool plain = error == std::errc{} && whole >= 0 && !text.starts_with('-');
  if (plain && whole <= most / scale) {
    std::string_view rest = text.substr(static_cast<std::size_t>(end - text.data()));
    std::int64_t fraction = 0;
    if (take(rest, ".")) fraction = take_billionths(rest);
    // Units of 1 s keep every digit of the fraction, smaller ones those that are whole nanoseconds.
    if (rest.empty()) {
      const std::int64_t part = 1'000'000'000 / scale;
      const std::int64_t result = whole * scale + (fraction + part / 2) / part;
      return result > most ? std::nullopt : std::optional{result};
    }
  }
  double number = 0;
  const auto [behind, wrong] = std::from_chars(text.data(), last, number);
  const double scaled = number * static_cast<double>(scale);
  if (wrong != std::errc{} || behind != last || !(number >= 0) || !(scaled <= 8e18)) return std::nullopt;
  return static_cast<std::int64_t>(scaled + 0.5);
}

std::optional<std::int64_t> parse_timestamp(std::string_view t) {
  const auto year = take_digits(t, 4);
  const bool dash = take(t, "-");
  const auto month = take_digits(t, 2);
  const bool second_dash = take(t, "-");
  const auto day = take_digits(t, 2);
  const bool apart = take(t, " T");
  const auto hour = take_digits(t, 2);
  const bool colon = take(t, ":");
  const auto minute = take_digits(t, 2);
  const bool second_colon = take(t, ":");
  const auto second = take_digits(t, 2);
  if (!dash || !second_dash || !apart || !colon || !second_colon) return std::nullopt;
  if (!year || !month || !day || !hour || !minute || !second) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year{*year},
                                         std::chrono::month{static_cast<unsigned>(*month)},
                                         std::chrono::day{static_cast<unsigned>(*day)}};
  if (!date.ok() || *year < 1970 || *year > 2200 || *hour > 23 || *minute > 59 || *second > 60)
    return std::nullopt;
  const std::int64_t billionths = take(t, ".") ? take_billionths(t) : 0;
  const auto zone = zone_minutes(t);
  if (!zone) return std::nullopt;
  const std::int64_t days = std::chrono::sys_days{date}.time_since_epoch().count();
  return (((days * 24 + *hour) * 60 + *minute - *zone) * 60 + *second) * 1'000'000'000 + billionths;
}

}  // namespace inferometer
