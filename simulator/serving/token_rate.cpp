#include "simulator/serving/token_rate.hpp"

#include <algorithm>

namespace inferometer {
namespace {

/// A step of equal sequences.
struct EqualBatch final : Batch {
  EqualBatch(std::int64_t sequences, BatchSlice each) : count(sequences), slice(each) {
    for (std::int64_t i = 0; i < count; ++i)
      (slice.fresh == 1 ? totals.attended.single : totals.attended.prompts).add({slice.fresh, slice.cached});
    totals.logit_rows = count;
  }
  void slices(std::vector<BatchSlice>& out) const override {
    out.assign(static_cast<std::size_t>(count), slice);
  }
  std::int64_t count;
  BatchSlice slice;
};

Result<Seconds> a_token(std::int64_t sequences, const BatchSlice& each, BatchTimer& timer) {
  const Result<Nanoseconds> step = timer.estimate(EqualBatch(sequences, each));
  if (!step) return failure(step.error());
  return std::chrono::duration<double>(*step) / static_cast<double>(sequences * each.fresh);
}

}  // namespace

Result<Seconds> time_per_token(const InstanceSettings& settings, const Traffic& traffic, BatchTimer& timer) {
  std::int64_t prompts = 0, outputs = 0;
  for (const Request& r : traffic.requests) {
    prompts += r.prompt_tokens;
    outputs += r.output_tokens;
  }
  const auto requests = std::max<std::int64_t>(1, static_cast<std::int64_t>(traffic.requests.size()));
  const std::int64_t prompt = std::max<std::int64_t>(1, prompts / requests);
  const std::int64_t output = std::max<std::int64_t>(1, outputs / requests);
  const std::int64_t budget = settings.serving.max_num_batched_tokens, chunk = std::min(prompt, budget);
  const Result<Seconds> computed =
      a_token(budget / chunk, {.request = 0, .fresh = chunk, .cached = 0}, timer);
  if (!computed) return failure(computed.error());
  const std::int64_t cached = prompt + output / 2;
  const std::int64_t fit = settings.kv_blocks * settings.block_tokens / cached;
  const std::int64_t sequences = std::clamp<std::int64_t>(fit, 1, settings.serving.max_num_seqs);
  const Result<Seconds> made = a_token(sequences, {.request = 0, .fresh = 1, .cached = cached}, timer);
  if (!made) return failure(made.error());
  if (settings.role == PoolRole::prefill) return *computed;
  if (settings.role == PoolRole::decode) return *made;
  return (static_cast<double>(prompt) * *computed + static_cast<double>(output) * *made) /
         static_cast<double>(prompt + output);
}

}  // namespace inferometer
