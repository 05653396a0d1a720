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
/// The same of what is read over and over. Caches that resist streams keep a part of their capacity however
/// wide the stream: on an EPYC of the fifth generation of 48, 64, 96, 128 and 192 MB 50, 32, 22, 16 and 10 %.
double resident_again(Bytes bytes, const Device& device) {
  const double once = resident(bytes, device), b = static_cast<double>(bytes.value);
  if (!device.cache_retention || b <= 0) return once;
  const double kept =
      device.cache_retention->value * static_cast<double>(device.cache_capacity.value.value) / b;
  return std::max(once, std::min(kept, 1.0));
}

/// A range reduction and a polynomial of degree 7 to 8, with a division where a gate needs one, are some 20
/// vector instructions; in the time of each, a multiply-add does 2 FLOPs.
constexpr std::int64_t flops_per_exponential = 40;

struct ComputeTime {
  Seconds full{0};   ///< at the rate of large products
  Seconds extra{0};  ///< beyond that
};

ComputeTime compute_time(const Work& work, const Device& device, const Calibration& c) {
  if (work.flops.value == 0) return {};
  if (!work.product) {
    const FlopsPerSecond rate = parameter(c, "vector_efficiency") * device.vector.value;
    const Flops all = work.flops + Flops{work.special * flops_per_exponential};
    // Each key that is loaded serves a block of rows, new tokens by heads of its group: few rows pay for it
    // alone.
    return {all / rate, parameter(c, "attention_half_rows") * work.first_rows * (all / rate)};
  }
  const std::string_view dtype = name(work.dtype);
  const Seconds full =
      work.flops / (parameter(c, "matrix_efficiency", dtype) * matrix_peak(device, work.dtype));
  if (work.m <= 1) return {full, Seconds{0}};  // a stream of weights, whose kernel is another
  return {full, full * (parameter(c, "half_rows", dtype) / static_cast<double>(work.m))};
}

/// Rates at which bytes move, of which a share is found in the cache. What kernels hand to each other moves
/// as their short loops go; weights, keys and values are long streams, whose loops lose the same share
/// (assumed) of the cache's rate as of the memory's.
struct Traffic {
  BytesPerSecond memory, cache, cached_stream;

  Traffic(const Device& device, const Calibration& c)
      : memory(parameter(c, "memory_efficiency") * device.memory_bandwidth.value),
        cache(parameter(c, "cache_efficiency") * device.cache_bandwidth.value),
        cached_stream(parameter(c, "memory_efficiency") * device.cache_bandwidth.value) {}
  Seconds time(Bytes bytes, double in_cache) const { return time(bytes, in_cache, cache); }
  Seconds stream_time(Bytes bytes, double in_cache) const { return time(bytes, in_cache, cached_stream); }

 private:
  Seconds time(Bytes bytes, double in_cache, BytesPerSecond from_cache) const {
    return (1.0 - in_cache) * (bytes / memory) + in_cache * (bytes / from_cache);
  }
};

Seconds memory_time(const Work& work, const Device& device, const Traffic& traffic, const Surroundings& s) {
  return traffic.stream_time(kept_weights(work, device) + work.state, resident_again(s.persistent, device)) +
         traffic.time(work.activations, resident(work.activations, device)) +
         traffic.time(work.unfused, resident(Bytes{work.unfused.value / 4}, device));
}

/// Where bf16 is kept and multiplied as f32, a pass before each matrix widens its inputs and one behind it
/// narrows its outputs, unless those are wanted in f32: each reads and writes, two bytes and four an element.
struct Conversion {
  Seconds launch{0}, bytes{0};
};
Conversion conversion(const Work& work, const Device& device, const Traffic& traffic) {
  if (!device.widens_bf16 || !work.product || work.dtype != DType::bf16) return {};
  const Bytes moved = 3 * work.bf16_operands;
  return {static_cast<double>(work.bf16_sides * work.batch) * device.launch.value,
          traffic.time(moved, resident(moved, device))};
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
  const Traffic traffic(device, calibration);
  const Seconds memory = memory_time(work, device, traffic, surroundings);
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
  const Conversion converted = conversion(work, device, traffic);
  e.parts.launch += converted.launch;
  e.parts.bytes += converted.bytes;
  if (e.parts.launch > e.parts.total() - e.parts.launch) e.bound = Bound::launch;
  return e;
}

}  // namespace inferometer
