#include "simulator/serving/token_rate.hpp"

#include <algorithm>

namespace inferometer {
namespace {

/// A step of equal sequences on each replica of attention.
StepTotals equal_batch(std::int64_t sequences, AttentionSlice each, std::int64_t ranks) {
  StepTotals totals;
  for (std::int64_t i = 0; i < sequences; ++i)
    (each.fresh == 1 ? totals.attended.single : totals.attended.prompts).add(each);
  totals.logit_rows = sequences;
  if (ranks > 1) totals.group_tokens = ranks * totals.tokens();
  return totals;
}

}  // namespace

Seconds time_per_token(const PoolSettings& pool, const Traffic& traffic,
                       const std::function<Nanoseconds(const StepTotals&)>& time) {
  std::int64_t prompts = 0, outputs = 0;
  for (const Request& r : traffic.requests) {
    prompts += r.prompt_tokens;
    outputs += r.output_tokens;
  }
  const auto requests = std::max<std::int64_t>(1, static_cast<std::int64_t>(traffic.requests.size()));
  const std::int64_t prompt = std::max<std::int64_t>(1, prompts / requests);
  const std::int64_t output = std::max<std::int64_t>(1, outputs / requests);
  const Serving& serving = pool.instance.serving;
  const auto a_token = [&](std::int64_t sequences, AttentionSlice each) {
    const StepTotals step = equal_batch(sequences, each, pool.ranks);
    const auto parts = static_cast<double>(pool.stages * pool.ranks);
    return std::chrono::duration<double>(time(step)) / (static_cast<double>(step.tokens()) * parts);
  };
  const std::int64_t budget = serving.max_num_batched_tokens, chunk = std::min(prompt, budget);
  const Seconds computed = a_token(budget / chunk, {.fresh = chunk, .cached = 0});
  if (pool.instance.role == PoolRole::prefill) return computed;
  const std::int64_t cached = prompt + output / 2;
  const std::int64_t fit = pool.instance.kv_blocks * pool.instance.block_tokens / cached;
  const std::int64_t sequences = std::clamp<std::int64_t>(fit, 1, serving.max_num_seqs);
  const Seconds made =
      a_token(std::max<std::int64_t>(1, sequences / pool.stages), {.fresh = 1, .cached = cached});
  if (pool.instance.role == PoolRole::decode) return made;
  return (static_cast<double>(prompt) * computed + static_cast<double>(output) * made) /
         static_cast<double>(prompt + output);
}

}  // namespace inferometer
