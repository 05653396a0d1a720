#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/names.hpp"
#include "model/units.hpp"

namespace inferometer {

/// Why a device runs below the clocks that were set for it. Being idle is no reason, and neither are clocks
/// that somebody set.
enum class Throttle : std::uint8_t {
  power_cap,
  hardware_slowdown,  ///< the clocks are halved or worse: power brake or too hot
  thermal,            ///< the driver keeps the temperature below its limit
  hardware_thermal,
  power_brake  ///< asked for from outside, such as by the power supply
};
template <>
struct Names<Throttle> {
  static constexpr std::array list{
      std::pair{Throttle::power_cap, std::string_view{"power cap"}},
      std::pair{Throttle::hardware_slowdown, std::string_view{"hardware slowdown"}},
      std::pair{Throttle::thermal, std::string_view{"thermal slowdown"}},
      std::pair{Throttle::hardware_thermal, std::string_view{"hardware thermal slowdown"}},
      std::pair{Throttle::power_brake, std::string_view{"power brake"}}};
};

/// "power cap, thermal slowdown"
inline std::string text_of(const std::vector<Throttle>& reasons) {
  std::string text;
  for (const Throttle reason : reasons) text += (text.empty() ? "" : ", ") + std::string{name(reason)};
  return text;
}

/// How a device was while something was measured on it. What could not be seen is absent, and not_available
/// says why.
struct RunConditions {
  std::int64_t samples = 0;  ///< that the means and extremes are of
  std::optional<Watts> mean_power, most_power, power_limit;
  std::optional<Joules> energy;  ///< of all that was measured, gaps between the steps included
  std::optional<Hertz> mean_sm_clock, least_sm_clock, top_sm_clock;  ///< top: that the device can have
  std::optional<Hertz> mean_memory_clock;
  std::optional<Celsius> most_temperature;
  std::optional<std::vector<Throttle>> throttles;  ///< of any sample, in the order of their list
  std::int64_t throttled_samples = 0;
  std::string not_available;
};

}  // namespace inferometer
