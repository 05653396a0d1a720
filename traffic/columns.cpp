#include "traffic/columns.hpp"

#include <algorithm>
#include <array>
#include <string>

namespace inferometer {
namespace {

using Role = Column::Role;
constexpr std::int64_t ns = 1, us = 1'000, ms = 1'000'000, s = 1'000'000'000;

constexpr std::array list{
    // Splitwise, and others as CSV with units in the names
    Column{Role::arrival, "arrival_s", s},
    Column{Role::arrival, "arrival_ms", ms},
    Column{Role::prompt, "input_tokens"},
    Column{Role::output, "output_tokens"},
    Column{Role::blocks, "block_ids", 512},
    Column{Role::blocks, "block_ids_16tok", 16},
    // Vidur, Frontier
    Column{Role::arrival, "arrived_at", s},
    Column{Role::prompt, "num_prefill_tokens"},
    Column{Role::output, "num_decode_tokens"},
    Column{Role::session, "session_id"},
    Column{Role::blocks, "block_hash_ids", 0},
    // Mooncake; Bailian, which tells its conversations, has blocks of 16 and counts seconds
    Column{Role::arrival, "timestamp", ms},
    Column{Role::prompt, "input_length"},
    Column{Role::output, "output_length"},
    Column{Role::blocks, "hash_ids", 512},
    Column{Role::seconds, "chat_id"},
    // Azure LLM 2023, 2024; LMM 2025
    Column{Role::arrival, "TIMESTAMP", 0},
    Column{Role::prompt, "ContextTokens"},
    Column{Role::output, "GeneratedTokens"},
    Column{Role::images, "NumImages"},
    // APEX+, otherwise as Azure
    Column{Role::arrival, "StartTimeOffset", ns},
    // BurstGPT
    Column{Role::arrival, "Timestamp", s},
    Column{Role::prompt, "Request tokens"},
    Column{Role::output, "Response tokens"},
    Column{Role::session, "Session ID"},
    Column{Role::elapsed, "Elapsed time", s},
    // LLMServingSim
    Column{Role::arrival, "arrival_time_ns", ns},
    Column{Role::prompt, "input_toks"},
    Column{Role::output, "output_toks"},
    Column{Role::prompt_ids, "input_tok_ids"},
    Column{Role::output_ids, "output_tok_ids"},
    Column{Role::turns, "sub_requests"},
    Column{Role::pause, "tool_duration_ns", ns},
    // BLIS TraceV2
    Column{Role::arrival, "arrival_time_us", us},
    Column{Role::end, "last_chunk_time_us", us},
    Column{Role::prefix_group, "prefix_group"},
    Column{Role::prefix_length, "prefix_length"},
    // ShareGPT lengths
    Column{Role::prompt, "prompt_len"},
    Column{Role::output, "output_len"},
};

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

}  // namespace inferometer
