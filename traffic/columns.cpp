#include "traffic/columns.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <string>

namespace inferometer {
namespace {

using Role = Column::Role;
constexpr std::int64_t ns = 1, ms = 1'000'000, s = 1'000'000'000;

constexpr std::array list{
    Column{Role::arrival, "arrival_s", s, "splitwise"},
    Column{Role::arrival, "arrival_ms", ms, "Mooncake as CSV"},
    Column{Role::arrival, "arrived_at", s, "Vidur"},
    Column{Role::arrival, "timestamp", ms, "Mooncake"},
    Column{Role::arrival, "Timestamp", s, "BurstGPT"},
    Column{Role::arrival, "arrival_time_ns", ns, "LLMServingSim"},
    Column{Role::timestamp, "TIMESTAMP", 1, "Azure LLM"},
    Column{Role::prompt, "input_tokens", 1, "splitwise"},
    Column{Role::prompt, "num_prefill_tokens", 1, "Vidur"},
    Column{Role::prompt, "ContextTokens", 1, "Azure LLM"},
    Column{Role::prompt, "Request tokens", 1, "BurstGPT"},
    Column{Role::prompt, "input_length", 1, "Mooncake"},
    Column{Role::prompt, "input_toks", 1, "LLMServingSim"},
    Column{Role::prompt, "prompt_len", 1, "ShareGPT lengths"},
    Column{Role::output, "output_tokens", 1, "splitwise"},
    Column{Role::output, "num_decode_tokens", 1, "Vidur"},
    Column{Role::output, "GeneratedTokens", 1, "Azure LLM"},
    Column{Role::output, "Response tokens", 1, "BurstGPT"},
    Column{Role::output, "output_length", 1, "Mooncake"},
    Column{Role::output, "output_toks", 1, "LLMServingSim"},
    Column{Role::output, "output_len", 1, "ShareGPT lengths"},
    Column{Role::blocks, "hash_ids", 512, "Mooncake"},
    Column{Role::blocks, "block_ids", 512, "Mooncake as CSV"},
    Column{Role::blocks, "block_ids_16tok", 16, "ShareGPT as CSV"},
};

/// Days since 1970-01-01. source  Hinnant, "chrono-compatible low-level date algorithms"
constexpr std::int64_t days(std::int64_t y, std::int64_t m, std::int64_t d) {
  y -= m <= 2;
  const std::int64_t era = (y >= 0 ? y : y - 399) / 400, of_era = y - era * 400;
  const std::int64_t of_year = (153 * (m > 2 ? m - 3 : m + 9) + 2) / 5 + d - 1;
  return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

}  // namespace

const Column* column_named(std::string_view name) {
  const auto found = std::find_if(list.begin(), list.end(), [&](const Column& c) { return c.name == name; });
  return found == list.end() ? nullptr : &*found;
}

std::string_view known_columns() {
  static const std::string all = [] {
    std::string text;
    for (const Column& c : list) text += (text.empty() ? "" : ", ") + std::string{c.name};
    return text;
  }();
  return all;
}

std::optional<std::int64_t> parse_timestamp(std::string_view t) {
  const auto part = [&](std::size_t at, std::size_t length) -> std::optional<std::int64_t> {
    std::int64_t value = 0;
    if (t.size() < at + length) return std::nullopt;
    const auto [end, error] = std::from_chars(t.data() + at, t.data() + at + length, value);
    if (error != std::errc{} || end != t.data() + at + length) return std::nullopt;
    return value;
  };
  const auto year = part(0, 4), month = part(5, 2), day = part(8, 2);
  const auto hour = part(11, 2), minute = part(14, 2), second = part(17, 2);
  if (!year || !month || !day || !hour || !minute || !second || *month < 1 || *month > 12)
    return std::nullopt;
  std::int64_t fraction = 0, unit = 100'000'000;
  for (std::size_t i = 20; t.size() > 19 && t[19] == '.' && i < t.size() && t[i] >= '0' && t[i] <= '9'; ++i) {
    fraction += (t[i] - '0') * unit;
    unit /= 10;
  }
  return ((days(*year, *month, *day) * 24 + *hour) * 60 + *minute) * 60 * s + *second * s + fraction;
}

}  // namespace inferometer
