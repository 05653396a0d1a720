#pragma once
#include <cstdint>
#include <optional>
#include <string_view>

namespace inferometer {

/// A decimal number of at least 0 times `scale`, rounded to the nearest integer. Without an exponent it is
/// exact: seconds and nanoseconds since 1970 keep every digit.
/// returns  nothing where the text is no such number, or the result is beyond 8e18
std::optional<std::int64_t> parse_scaled(std::string_view text, std::int64_t scale);

/// Nanoseconds since 1970 UTC of "2023-11-16 18:15:46.6805900", "2024-05-10T00:00:00Z" or "...+02:00"; UTC
/// where no zone is said.
/// returns  nothing for other text, days that are not in the calendar, and years beyond 2200
std::optional<std::int64_t> parse_timestamp(std::string_view text);

}  // namespace inferometer
