#include "simulator/serving/run.hpp"

namespace inferometer {

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
