#pragma once
#include <span>

#include "model/run_conditions.hpp"

namespace inferometer {

/// How a device is at one instant; what it does not tell is absent.
struct DeviceSample {
  std::optional<Watts> power;
  std::optional<Hertz> sm_clock, memory_clock;
  std::optional<Celsius> temperature;
  std::optional<std::vector<Throttle>> throttles;  ///< in the order of their list
};

/// What does not change while something runs.
struct DeviceLimits {
  std::optional<Watts> power;
  std::optional<Hertz> sm_clock;
};

/// By a counter of the energy that the device has taken so far, read at both ends of each stretch.
struct EnergyCount {
  Joules used{0};
  Seconds watched{0};
  std::int64_t stretches = 0;
};
/// The counter moves in steps that are taken to be 100 ms at most (tests/gpu/nvml_test.cpp holds the card to
/// it): of a stretch shorter than two of them too much belongs to what ran before it.
inline constexpr Seconds shortest_for_energy{0.2};

/// energy   absent where the device has no such counter
/// refused  what the device does not tell, and why; empty where it tells all
RunConditions conditions_of(std::span<const DeviceSample> samples, const DeviceLimits& limits,
                            const std::optional<EnergyCount>& energy, const std::string& refused);

}  // namespace inferometer
