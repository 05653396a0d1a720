#include "simulator/serving/pipeline.hpp"

#include <algorithm>

namespace inferometer {

Pipeline::Pipeline(const InstanceSettings& settings, std::int64_t stages, const Traffic& traffic,
                   std::vector<RequestRecord>& requests, PoolRun& run)
    : run_(run),
      number_(settings.number),
      free_at_(static_cast<std::size_t>(stages), Nanoseconds{0}),
      told_(free_at_) {
  lanes_.push_back(std::make_unique<Instance>(settings, traffic, requests, run));
  while (lanes_.size() < free_at_.size()) lanes_.push_back(lanes_[0]->another_lane());
  for (const auto& lane : lanes_) idle_.push_back(lane.get());
}

Result<std::optional<Nanoseconds>> Pipeline::begin(Nanoseconds now, BatchTimer& timer) {
  for (auto lane = idle_.begin(); lane != idle_.end(); ++lane) {
    const Batch* batch = (*lane)->choose_batch(now, timer);
    if (batch == nullptr) continue;
    if (const Done done = timer.stage_times(*batch, times_); !done) return failure(done.error());
    require(times_.stages.size() == free_at_.size(), "a timer has other stages than the pipeline");
    const Nanoseconds ready = (*lane)->start(now, Nanoseconds{0});
    if (under_way_.empty()) std::fill(told_.begin(), told_.end(), std::max(now, ended_));
    under_way_.push_back({*lane, now});
    idle_.erase(lane);
    return std::optional{pass(ready, batch->totals)};
  }
  const ReplicaLoad left = lanes_[0]->load(0, false);
  require(!under_way_.empty() || left.requests == 0, "a pipeline idles with work to do");
  return std::optional<Nanoseconds>{};
}

Nanoseconds Pipeline::pass(Nanoseconds now, const StepTotals& totals) {
  for (std::size_t s = 0; s < free_at_.size(); ++s) {
    if (s > 0) now += times_.hand_over;
    const Nanoseconds start = std::max(now, free_at_[s]);
    now = start + times_.stages[s];
    free_at_[s] = now;
    run_.parts_busy += times_.stages[s];
    tell_bubble(s, start);
    run_.spans.add({.instance = number_,
                    .part = static_cast<std::int32_t>(s),
                    .start = start,
                    .end = now,
                    .totals = totals});
    told_[s] = now;
  }
  return now;
}

void Pipeline::tell_bubble(std::size_t stage, Nanoseconds until) {
  if (told_[stage] >= until) return;
  run_.spans.add({.kind = ServedSpan::Kind::bubble,
                  .instance = number_,
                  .part = static_cast<std::int32_t>(stage),
                  .start = told_[stage],
                  .end = until});
  told_[stage] = until;
}

void Pipeline::finish(Nanoseconds end, BatchTimer& timer, std::vector<std::int32_t>& ended) {
  const UnderWay first = under_way_.front();
  under_way_.pop_front();
  first.lane->finish(end, timer, ended);
  idle_.push_front(first.lane);  // its sequences and what waits are the next batch
  run_.parts_time +=
      static_cast<std::int64_t>(free_at_.size()) * (end - std::max(first.begun, std::exchange(ended_, end)));
  if (!under_way_.empty()) return;
  for (std::size_t s = 0; s < told_.size(); ++s) tell_bubble(s, end);
}

}  // namespace inferometer
