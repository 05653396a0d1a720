#include "simulator/serving/pipeline.hpp"

#include <algorithm>

namespace inferometer {

Pipeline::Pipeline(const InstanceSettings& settings, std::int64_t stages, const Traffic& traffic,
                   std::vector<RequestRecord>& requests, PoolRun& run)
    : run_(run), free_at_(static_cast<std::size_t>(stages), Nanoseconds{0}) {
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
    under_way_.push_back({*lane, now});
    idle_.erase(lane);
    return std::optional{pass(ready)};
  }
  const ReplicaLoad left = lanes_[0]->load(0, false);
  require(!under_way_.empty() || left.requests == 0, "a pipeline idles with work to do");
  return std::optional<Nanoseconds>{};
}

Nanoseconds Pipeline::pass(Nanoseconds now) {
  for (std::size_t s = 0; s < free_at_.size(); ++s) {
    if (s > 0) now += times_.hand_over;
    now = std::max(now, free_at_[s]) + times_.stages[s];
    free_at_[s] = now;
    run_.parts_busy += times_.stages[s];
  }
  return now;
}

void Pipeline::finish(Nanoseconds end, BatchTimer& timer, std::vector<std::int32_t>& ended) {
  const UnderWay first = under_way_.front();
  under_way_.pop_front();
  first.lane->finish(end, timer, ended);
  idle_.push_front(first.lane);  // its sequences and what waits are the next batch
  run_.parts_time +=
      static_cast<std::int64_t>(free_at_.size()) * (end - std::max(first.begun, std::exchange(ended_, end)));
}

}  // namespace inferometer
