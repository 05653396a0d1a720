#include "simulator/serving/run.hpp"

#include <algorithm>
#include <utility>

namespace inferometer {

void LoadTimeline::add(const LoadTimeline& other) {
  if (other.interval_ > interval_) {
    LoadTimeline sum = other;
    sum.add(*this);
    *this = std::move(sum);
    return;
  }
  for (std::size_t i = 0; i < other.samples_.size(); ++i)
    add(static_cast<std::int64_t>(i) * other.interval_, other.samples_[i]);
}

void PoolRun::add(const PoolRun& other) {
  itl.add(other.itl);
  load.add(other.load);
  steps += other.steps;
  jumped_steps += other.jumped_steps;
  prompt_tokens += other.prompt_tokens;
  prefix_hit_tokens += other.prefix_hit_tokens;
  output_tokens += other.output_tokens;
  preemptions += other.preemptions;
  if (kv_blocks == 0 || other.kv_peak * kv_blocks > kv_peak * other.kv_blocks) {
    kv_blocks = other.kv_blocks;
    kv_peak = other.kv_peak;
  }
  busy += other.busy;
  parts_time += other.parts_time;
  parts_busy += other.parts_busy;
  end = std::max(end, other.end);
  instances += other.instances;
}

void LoadTimeline::add(Nanoseconds start, const Sample& step) {
  auto at = static_cast<std::size_t>(start / interval_);
  while (at >= most) {
    for (std::size_t i = 0; i < samples_.size(); ++i) {
      Sample& sum = samples_[i / 2];
      const Sample part = samples_[i];
      if (i % 2 == 0) sum = {};
      sum.seconds += part.seconds;
      sum.running += part.running;
      sum.waiting += part.waiting;
      sum.kv_used += part.kv_used;
      sum.output_tokens += part.output_tokens;
    }
    samples_.resize((samples_.size() + 1) / 2);
    interval_ *= 2;
    at /= 2;
  }
  if (at >= samples_.size()) samples_.resize(at + 1);
  Sample& sum = samples_[at];
  sum.seconds += step.seconds;
  sum.running += step.running;
  sum.waiting += step.waiting;
  sum.kv_used += step.kv_used;
  sum.output_tokens += step.output_tokens;
}

}  // namespace inferometer
