#pragma once
#include <cstdint>
#include <optional>
#include <string_view>

namespace inferometer {

/// What a column of a trace means.
struct Column {
  enum class Role : std::uint8_t { arrival, timestamp, prompt, output, blocks } role;
  std::string_view name;
  std::int64_t scale = 1;  ///< arrival: ns of one unit; blocks: tokens of one identity
  std::string_view of;     ///< who writes it so
};

/// Columns and keys of traces, by exact name; null: it says nothing that is needed.
const Column* column_named(std::string_view name);

/// "arrived_at, num_prefill_tokens, ..." for messages.
std::string_view known_columns();

/// Nanoseconds since 1970 of "2023-11-16 18:15:46.6805900"; what follows the fraction (a time zone) is not
/// looked at, since only differences count.
std::optional<std::int64_t> parse_timestamp(std::string_view text);

}  // namespace inferometer
