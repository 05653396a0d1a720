#pragma once
#include <algorithm>
#include <cstddef>
#include <vector>

namespace inferometer {

/// Quantile `q` by linear interpolation between order statistics, as NumPy's percentile.
/// requires  values, sorted
inline double quantile_of_sorted(const std::vector<double>& values, double q) {
  const double at = q * static_cast<double>(values.size() - 1);
  const auto low = static_cast<std::size_t>(at);
  const std::size_t high = std::min(low + 1, values.size() - 1);
  return values[low] + (at - static_cast<double>(low)) * (values[high] - values[low]);
}

}  // namespace inferometer
