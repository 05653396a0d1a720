#include "simulator/serving/executed_timer.hpp"

#include <algorithm>

#include "model/seeded.hpp"

namespace inferometer {

ExecutedTimer::ExecutedTimer(StepTimer& timer, std::int64_t blocks, std::int64_t block_tokens,
                             std::int64_t vocab, std::uint64_t seed)
    : timer_(timer), block_tokens_(block_tokens), vocab_(vocab), seed_(tensor_key(seed, "served tokens")) {
  for (std::int64_t b = blocks - 1; b >= 0; --b) free_.push_back(static_cast<std::int32_t>(b));
}

Result<Nanoseconds> ExecutedTimer::time(const Batch& batch) {
  batch.slices(slices_);
  Step step;
  for (const BatchSlice& s : slices_) {
    std::vector<std::int32_t>& table = tables_[s.request];
    const std::int64_t tokens = s.cached + s.fresh;
    while (static_cast<std::int64_t>(table.size()) * block_tokens_ < tokens) {
      if (free_.empty())
        return failure(
            "serving.prefix_caching: shared blocks are written apart when steps are executed, and "
            "the cache has no room for that; more serving.kv_blocks are needed");
      table.push_back(free_.back());
      free_.pop_back();
    }
    Slice slice{.sequence = s.request, .fresh = s.fresh, .cached = s.cached, .block_table = table};
    for (std::int64_t t = s.cached; t < tokens; ++t) {
      const std::uint64_t draw =
          mix(seed_ + static_cast<std::uint64_t>(s.request) * 0x100000001ULL + static_cast<std::uint64_t>(t));
      slice.tokens.push_back(static_cast<std::int32_t>(draw % static_cast<std::uint64_t>(vocab_)));
    }
    step.slices.push_back(std::move(slice));
  }
  const std::pair shape{batch.totals.tokens(), batch.totals.sequences()};
  if (warm_.insert(shape).second) {
    if (const Result<Nanoseconds> first = timer_.time(step); !first) return first;
  }
  const Result<Nanoseconds> time = timer_.time(step);
  if (time) steps_.push_back({batch.totals, *time});
  return time;
}

void ExecutedTimer::left(std::int32_t request) {
  const auto found = tables_.find(request);
  if (found == tables_.end()) return;
  free_.insert(free_.end(), found->second.rbegin(), found->second.rend());
  tables_.erase(found);
}

Case prepared_for(const Case& c, std::int64_t kv_blocks) {
  Case prepared = c;
  const std::int64_t block = c.plan.kv.block_tokens;
  const std::int64_t sequences = std::min(c.serving.max_num_seqs, kv_blocks);
  const std::int64_t each = (kv_blocks + sequences - 1) / sequences * block;
  Workload& w = prepared.workload;
  w.batch = sequences;
  w.prompt_tokens = std::clamp<std::int64_t>((c.serving.max_num_batched_tokens + sequences - 1) / sequences,
                                             1, std::max<std::int64_t>(1, each - 1));
  w.output_tokens = each - w.prompt_tokens;
  return prepared;
}

}  // namespace inferometer
