#include "scenarios/samples.hpp"

#include <algorithm>
#include <cmath>

namespace inferometer {

Samples samples_of(std::vector<Nanoseconds> times) {
  std::sort(times.begin(), times.end());
  const auto at = [&](double q) {
    const double place = q * static_cast<double>(times.size() - 1);
    const auto low = static_cast<std::size_t>(place);
    const std::size_t high = std::min(low + 1, times.size() - 1);
    const double part =
        (place - static_cast<double>(low)) * static_cast<double>((times[high] - times[low]).count());
    return times[low] + Nanoseconds{static_cast<std::int64_t>(part)};
  };
  return {static_cast<std::int64_t>(times.size()), at(0.5), at(0.1), at(0.9)};
}

bool steady(const std::vector<Nanoseconds>& times) {
  if (times.size() < 2) return false;
  const auto half = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2);
  const double a = static_cast<double>(samples_of({times.begin(), half}).median.count());
  const double b = static_cast<double>(samples_of({half, times.end()}).median.count());
  return std::abs(a - b) <= 0.01 * a;
}

}  // namespace inferometer
