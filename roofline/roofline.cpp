#include "roofline/roofline.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "model/result.hpp"
#include "roofline/collective.hpp"
#include "roofline/parameters.hpp"

namespace inferometer {
namespace {

/// Share of `bytes` that a cache of `capacity` still holds when they are touched again. Full reuse up to 60 %
/// of it: replacement is not perfect and other operands pass through. Of a stream that is wider than a victim
/// cache a part survives each pass (reads of 32, 48, 64, 96 MB through 32 MB of L3 on an EPYC: 79, 49, 34 and
/// 5 % hits).
double resident(Bytes bytes, const Device& device) {
  const double c = static_cast<double>(device.cache_capacity.value.value);
  if (c <= 0) return 0;
  constexpr double none = 2.6;
  return std::clamp((none * c - static_cast<double>(bytes.value)) / ((none - 0.6) * c), 0.0, 1.0);
}

/// Vector instructions' worth of a range reduction and a polynomial of degree 5 to 6, a division included.
constexpr std::int64_t flops_per_exponential = 20;

struct ComputeTime {
  Seconds full{0};   ///< at the rate of large products
  Seconds extra{0};  ///< beyond that
};

ComputeTime compute_time(const Work& work, const Device& device, const Calibration& c) {
  if (work.flops.value == 0) return {};
  if (!work.product) {
    const bool attention = work.state.value > 0;
    const double reached = parameter(c, attention ? "attention_efficiency" : "vector_efficiency");
    const Flops all = work.flops + Flops{work.special * flops_per_exponential};
    return {all / (reached * device.vector.value), Seconds{0}};
  }
  const std::string_view dtype = name(work.dtype);
  const Seconds full =
      work.flops / (parameter(c, "matrix_efficiency", dtype) * matrix_peak(device, work.dtype));
  if (work.m <= 1) return {full, Seconds{0}};  // a stream of weights, whose kernel is another
  return {full, full * (parameter(c, "half_rows", dtype) / static_cast<double>(work.m))};
}

Seconds memory_time(const Work& work, const Device& device, const Calibration& c, const Surroundings& s) {
  const BytesPerSecond memory = parameter(c, "memory_efficiency") * device.memory_bandwidth.value;
  const BytesPerSecond cache = parameter(c, "cache_efficiency") * device.cache_bandwidth.value;
  const auto moved = [&](Bytes bytes, double in_cache) {
    return (1.0 - in_cache) * (bytes / memory) + in_cache * (bytes / cache);
  };
  return moved(kept_weights(work, device) + work.state, resident(s.persistent, device)) +
         moved(work.activations, resident(work.activations, device)) +
         moved(work.unfused, resident(Bytes{work.unfused.value / 4}, device));
}

}  // namespace

Seconds launch_time(const Work& work, const Device& device, const Calibration& calibration) {
  const double fitted = parameter(calibration, "launch");
  return fitted < 0 || !work.product ? device.launch.value : Seconds{fitted * 1e-6};
}

FlopsPerSecond matrix_peak(const Device& device, DType dtype) {
  const auto it = device.matrix.find(dtype);
  return it != device.matrix.end() ? it->second.value : device.vector.value;
}

FlopsPerSecond peak_of(const Work& work, const Device& device) {
  return work.product || work.state.value > 0 ? matrix_peak(device, work.dtype) : device.vector.value;
}

Estimate estimate(const AnyOperator& op, const Device& device, const Calibration& calibration,
                  const Surroundings& surroundings) {
  const Work work = work_of(op);
  Estimate e{.parts = {},
             .bound = Bound::launch,
             .flops = work.flops,
             .compulsory = work.compulsory(),
             .moved = work.compulsory() + work.unfused};
  e.parts.launch = launch_time(work, device, calibration);
  if (work.ranks > 1) {
    const Seconds latency = device.link_latency ? device.link_latency->value : Seconds{0};
    require(device.link_bandwidth.has_value(), "a collective on a device without links");
    const auto& collective = work.sums ? ring_all_reduce : pairwise_all_to_all;
    e.parts.bytes = collective(work.link, work.ranks, latency, device.link_bandwidth->value);
    e.link = e.parts.bytes;
    e.bound = Bound::link;
    return e;
  }
  const ComputeTime compute = compute_time(work, device, calibration);
  const Seconds memory = memory_time(work, device, calibration, surroundings);
  e.compute = compute.full + compute.extra;
  e.memory = memory;
  if (e.compute >= e.memory) {
    e.parts.flops = compute.full;
    e.parts.wave = compute.extra;
    e.bound = Bound::compute;
  } else {
    e.parts.bytes = memory;
    e.bound = Bound::memory;
  }
  if (e.parts.launch > e.parts.total() - e.parts.launch) e.bound = Bound::launch;
  return e;
}

}  // namespace inferometer
