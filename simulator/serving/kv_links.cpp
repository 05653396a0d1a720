#include "simulator/serving/kv_links.hpp"

#include <algorithm>

namespace inferometer {

KvLinks::Times KvLinks::begin(std::size_t from, std::size_t to, const KvCargo& cargo, Nanoseconds now) {
  sends_[from] = receives_[to] = true;
  const BytesPerSecond rate = std::min(rates_[from], rates_[to]);
  const Nanoseconds before = to_ticks(cargo.before / rate), layered = to_ticks(cargo.layered / rate);
  const Nanoseconds first_layer = cargo.start + cargo.step / cargo.layers;
  const Nanoseconds last_layer =
      cargo.start + std::max(cargo.step, layered) + std::min(cargo.step, layered) / cargo.layers;
  return {.free = std::max(now + before, first_layer) + layered,
          .there = std::max(now + before + layered, last_layer) + latency_};
}

}  // namespace inferometer
