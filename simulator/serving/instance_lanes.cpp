#include <algorithm>

#include "simulator/serving/instance.hpp"

// Lanes of one instance: what the stages of a pipeline have under way at once.

namespace inferometer {

std::unique_ptr<Instance> Instance::another_lane() {
  return std::unique_ptr<Instance>(new Instance(settings_, traffic_, records_, run_, shared_));
}

std::int64_t Instance::running() const {
  std::int64_t sum = 0;
  for (const Instance* lane : shared_->lanes)
    sum += lane->decoding_ + static_cast<std::int64_t>(lane->prefilling_.size());
  return sum;
}

/// Goes on with prompts whose chunks so far are under way in other lanes, where there is room for the next.
void Instance::take_over_prompts(std::int64_t& budget) {
  const bool paged = settings_.serving.allocation == KvAllocation::paged;
  for (Instance* lane : shared_->lanes) {
    if (lane == this) continue;
    for (std::size_t i = 0; i < lane->prefilling_.size() && budget > 0;) {
      const std::int32_t s = lane->prefilling_[i];
      const Sequence& q = at(s);
      const std::int64_t tokens = std::min(budget, q.target - q.computed);
      const std::int64_t own = blocks_for(q.computed + tokens) - q.units * pool_.unit_blocks();
      if (tokens == 0 || (paged && own - q.own > pool_.free())) {
        ++i;
        continue;
      }
      lane->prefilling_.erase(lane->prefilling_.begin() + static_cast<std::ptrdiff_t>(i));
      lane->remove_running(s);
      append_running(s);
      prefilling_.push_back(s);
      add_chunk(s, tokens);
      budget -= tokens;
    }
  }
}

}  // namespace inferometer
