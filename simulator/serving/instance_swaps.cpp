#include <algorithm>
#include <utility>

#include "simulator/serving/instance.hpp"

namespace inferometer {

/// When what was to be swapped has been.
Nanoseconds Instance::behind_swaps(Nanoseconds now) {
  if (swap_time_ == Nanoseconds{0}) return now;
  const Nanoseconds start = std::max(now, shared_->link_free);
  const Nanoseconds end = start + std::exchange(swap_time_, Nanoseconds{0});
  shared_->link_free = end;
  run_.swaps.time += end - start;
  run_.spans.add({.kind = ServedSpan::Kind::swap,
                  .instance = settings_.number,
                  .part = settings_.part,
                  .start = start,
                  .end = end});
  return end;
}

void Instance::swap(std::int64_t blocks, Bytes SwapRun::*way) {
  const Bytes bytes = blocks * settings_.block;
  run_.swaps.*way += bytes;
  swap_time_ += to_ticks(bytes / settings_.host_link);
}

/// From host memory.
void Instance::bring_back(std::int32_t s) {
  Sequence& q = at(s);
  q.own = reservation(q);
  pool_.take(q.own);
  swap(blocks_for(q.target), &SwapRun::in);
  append_running(s);
  join(s);
}

}  // namespace inferometer
