#include "traffic/collection.hpp"

#include <algorithm>

#include "model/seeded.hpp"

namespace inferometer {

bool Collection::settle(TraceRow& row) {
  if (!row.prompt) row.refuse("has no prompt tokens", 0);
  if (!row.output) row.refuse("has no output tokens", 0);
  if (row.seconds && row.arrival) {
    constexpr std::int64_t most = 8'000'000'000'000'000;
    if (*row.arrival > most) row.refuse("arrives too late", 0);
    row.arrival = std::min(*row.arrival, most) * 1000;
  }
  if (!recorded_.empty() && trace_.has_arrivals != row.arrival.has_value())
    row.refuse(row.arrival ? "has an arrival, others have none" : "has no arrival", 0);
  if (!row.bad.empty()) return false;
  if (row.begins_with_prefix()) *row.prompt += row.prefix_length;
  if (*row.prompt > most_prompt_tokens) row.refuse("has a prompt of more than 100000000 tokens", 0);
  if (row.blocks.empty() && !row.prompt_ids.empty()) identify(row);
  if (row.begins_with_prefix() || !row.blocks.empty()) check_blocks(row);
  return row.bad.empty();
}

/// Outputs that are not listed are not known.
void Collection::identify(TraceRow& row) {
  constexpr std::int64_t block = 16;  // as engines have it
  const auto check = [&](const char* what, const std::vector<std::uint64_t>& ids, std::int64_t tokens) {
    if (std::ssize(ids) != tokens)
      row.refuse(
          "has " + std::to_string(ids.size()) + " " + what + " for " + std::to_string(tokens) + " tokens", 0);
  };
  check("input_tok_ids", row.prompt_ids, *row.prompt);
  if (!row.output_ids.empty()) check("output_tok_ids", row.output_ids, *row.output);
  if (row.bad.empty()) row.identify_tokens(stated_ > 0 ? stated_ : block);
}

void Collection::check_blocks(TraceRow& row) {
  constexpr std::int64_t of_prefixes = 16;
  if (row.begins_with_prefix()) row.block_tokens = of_prefixes;
  if (stated_ > 0) row.block_tokens = stated_;
  if (row.block_tokens == 0) {
    lacks_block_tokens_ = true;
    return row.refuse("has blocks of nobody says how many tokens", 0);
  }
  const std::int64_t count = std::ssize(row.blocks), earlier = trace_.traffic.block_tokens;
  const std::int64_t known = *row.prompt + std::ssize(row.output_ids);
  if (count > (known + row.block_tokens - 1) / row.block_tokens)
    row.refuse("has " + std::to_string(count) + " blocks of " + std::to_string(row.block_tokens) +
                   " tokens, more than its prompt of " + std::to_string(*row.prompt) +
                   " tokens; is block_tokens another?",
               0);
  if (earlier != 0 && earlier != row.block_tokens)
    row.refuse(
        "has blocks of " + std::to_string(row.block_tokens) + " tokens, others of " + std::to_string(earlier),
        0);
}

void Collection::keep(const TraceRow& row) {
  trace_.has_arrivals = row.arrival.has_value();
  trace_.images += row.images;
  Request request{.arrival = Nanoseconds{row.arrival.value_or(0)},
                  .prompt_tokens = static_cast<std::int32_t>(*row.prompt),
                  .output_tokens = static_cast<std::int32_t>(*row.output)};
  std::vector<std::uint64_t>& blocks = trace_.traffic.blocks;
  if (!row.blocks.empty()) {
    trace_.traffic.block_tokens = row.block_tokens;
    request.first_block = std::ssize(blocks);
    // Where the prompt ends within the last one, that is no block of prompt and output.
    const std::int64_t known = *row.prompt + std::ssize(row.output_ids);
    const std::int64_t full = std::min(std::ssize(row.blocks), known / row.block_tokens);
    request.blocks = static_cast<std::int32_t>(full);
    blocks.insert(blocks.end(), row.blocks.begin(), row.blocks.begin() + full);
  } else if (row.begins_with_prefix()) {
    share_prefix(row, request);
  }
  std::optional<Nanoseconds> end;
  if (row.arrival && row.elapsed) end = Nanoseconds{*row.arrival + *row.elapsed};
  if (row.arrival && row.end && *row.end >= *row.arrival) end = Nanoseconds{*row.end};
  recorded_.push_back({request, row.session, end});
}

void Collection::keep_session(std::span<const TraceRow> turns) {
  for (std::size_t i = 0; i < turns.size(); ++i) {
    keep(turns[i]);
    if (i == 0) continue;
    recorded_.back().request.after = static_cast<std::int32_t>(recorded_.size()) - 2;
    recorded_.back().request.arrival = Nanoseconds{turns[i - 1].pause};
  }
}

/// The identities of a group's prefix. Rows share their storage.
void Collection::share_prefix(const TraceRow& row, Request& request) {
  trace_.traffic.block_tokens = row.block_tokens;
  std::vector<std::uint64_t>& blocks = trace_.traffic.blocks;
  request.blocks = static_cast<std::int32_t>(row.prefix_length / row.block_tokens);
  auto& [first, count] = prefixes_[row.prefix_group];
  if (request.blocks > count) {
    first = std::ssize(blocks), count = request.blocks;
    const std::uint64_t key = tensor_key(0, row.prefix_group);
    for (std::int32_t i = 0; i < count; ++i) blocks.push_back(mix(key + static_cast<std::uint64_t>(i)));
  }
  request.first_block = first;
}

void Collection::count_bad(const TraceRow& row, Location where) {
  constexpr std::size_t listed = 10'000;
  ++trace_.bad_rows;
  if (trace_.first_bad.size() < listed) trace_.first_bad.push_back({row.bad, std::move(where)});
}

Result<RequestTrace> Collection::finish() {
  if (recorded_.empty() && !trace_.first_bad.empty()) {
    constexpr std::size_t told = 5;
    trace_.first_bad.resize(std::min(told, trace_.first_bad.size()));
    return failure(trace_.first_bad);
  }
  if (recorded_.empty()) return failure("no request is in it");
  if (stated_ > 0 && trace_.traffic.block_tokens == 0)
    return failure("no identities of blocks are in it, but a size of them is given");
  trace_.traffic.requests = in_order(std::move(recorded_));
  return std::move(trace_);
}

}  // namespace inferometer
