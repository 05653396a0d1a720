#include "simulator/serving/run.hpp"

#include <algorithm>
#include <utility>

namespace inferometer {
namespace {

/// Without the tokens, which are not weighted.
void add_part(LoadTimeline::Sample& sum, const LoadTimeline::Sample& step, double part) {
  sum.seconds += part * step.seconds;
  sum.running += part * step.running;
  sum.waiting += part * step.waiting;
  sum.kv_used += part * step.kv_used;
}

}  // namespace

LoadTimeline::Sample LoadTimeline::Sample::mean() const {
  Sample of = *this;
  for (double* sum : {&of.running, &of.waiting, &of.kv_used}) *sum = seconds > 0 ? *sum / seconds : 0;
  return of;
}

void LoadTimeline::add(const LoadTimeline& other) {
  if (other.interval_ > interval_) {
    LoadTimeline sum = other;
    sum.add(*this);
    *this = std::move(sum);
    return;
  }
  for (std::size_t i = 0; i < other.samples_.size(); ++i) {
    const Nanoseconds start = static_cast<std::int64_t>(i) * other.interval_;
    add(start, start + other.interval_, other.samples_[i]);
  }
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
  swaps.out += other.swaps.out;
  swaps.in += other.swaps.in;
  swaps.time += other.swaps.time;
  parts_time += other.parts_time;
  parts_busy += other.parts_busy;
  end = std::max(end, other.end);
  instances += other.instances;
}

void LoadTimeline::add(Nanoseconds start, Nanoseconds end, const Sample& step) {
  const std::size_t last = interval_of(std::max(start, end - Nanoseconds{1})), first = interval_of(start);
  if (first == last) {
    add_part(samples_[first], step, 1);
  } else {
    for (std::size_t i = first; i <= last; ++i) {
      const Nanoseconds begin = interval_ * static_cast<std::int64_t>(i);
      const Nanoseconds within = std::min(end, begin + interval_) - std::max(start, begin);
      add_part(samples_[i], step,
               static_cast<double>(within.count()) / static_cast<double>((end - start).count()));
    }
  }
  samples_[first].output_tokens += step.output_tokens;
}

std::size_t LoadTimeline::interval_of(Nanoseconds time) {
  auto at = static_cast<std::size_t>(time / interval_);
  while (at >= most) {
    for (std::size_t i = 0; i < samples_.size(); ++i) {
      const Sample part = samples_[i];
      if (i % 2 == 0) samples_[i / 2] = {};
      add_part(samples_[i / 2], part, 1);
      samples_[i / 2].output_tokens += part.output_tokens;
    }
    samples_.resize((samples_.size() + 1) / 2);
    interval_ *= 2;
    at /= 2;
  }
  if (at >= samples_.size()) samples_.resize(at + 1);
  return at;
}

}  // namespace inferometer
