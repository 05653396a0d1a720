#include "profiler/device_samples.hpp"

#include <algorithm>
#include <set>

namespace inferometer {
namespace {

/// Of those samples that have the value.
template <class Value>
struct Extent {
  Value sum{0}, least{0}, most{0};
  std::int64_t count = 0;

  Extent(std::span<const DeviceSample> samples, std::optional<Value> DeviceSample::*part) {
    for (const DeviceSample& sample : samples) {
      if (!(sample.*part)) continue;
      const Value value = *(sample.*part);
      least = count == 0 ? value : std::min(least, value);
      most = count == 0 ? value : std::max(most, value);
      sum += value;
      ++count;
    }
  }
  std::optional<Value> if_any(Value value) const { return count > 0 ? std::optional{value} : std::nullopt; }
  std::optional<Value> mean() const {
    return count > 0 ? std::optional{Value{sum.value / static_cast<double>(count)}} : std::nullopt;
  }
};

}  // namespace

RunConditions conditions_of(std::span<const DeviceSample> samples, const DeviceLimits& limits,
                            const std::optional<EnergyCount>& energy, const std::string& refused) {
  const Extent<Watts> power(samples, &DeviceSample::power);
  const Extent<Hertz> clock(samples, &DeviceSample::sm_clock), memory(samples, &DeviceSample::memory_clock);
  const Extent<Celsius> temperature(samples, &DeviceSample::temperature);
  RunConditions c{.samples = static_cast<std::int64_t>(samples.size()),
                  .mean_power = power.mean(),
                  .most_power = power.if_any(power.most),
                  .power_limit = limits.power,
                  .energy = {},
                  .mean_sm_clock = clock.mean(),
                  .least_sm_clock = clock.if_any(clock.least),
                  .top_sm_clock = limits.sm_clock,
                  .mean_memory_clock = memory.mean(),
                  .most_temperature = temperature.if_any(temperature.most),
                  .throttles = {},
                  .not_available = refused};
  std::set<Throttle> reasons;
  for (const DeviceSample& sample : samples) {
    if (!sample.throttles) continue;
    reasons.insert(sample.throttles->begin(), sample.throttles->end());
    c.throttles.emplace(reasons.begin(), reasons.end());
    c.throttled_samples += !sample.throttles->empty();
  }
  if (!energy || energy->stretches == 0) return c;
  if (energy->watched / static_cast<double>(energy->stretches) >= shortest_for_energy) {
    c.energy = energy->used;
  } else {
    c.not_available += (c.not_available.empty() ? "" : "; ") +
                       std::string{"energy: a pass is shorter than two steps of the device's counter"};
  }
  return c;
}

}  // namespace inferometer
