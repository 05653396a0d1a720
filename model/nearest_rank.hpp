#pragma once
#include <algorithm>
#include <vector>

namespace inferometer {

/// Quantile `q` by nearest rank: one of the values, of two equally near ones the larger; 0 of none. Its q 0.5
/// is the upper median.
inline double nearest_rank(std::vector<double> values, double q) {
  if (values.empty()) return 0;
  const auto rank = static_cast<std::ptrdiff_t>(q * static_cast<double>(values.size() - 1) + 0.5);
  std::nth_element(values.begin(), values.begin() + rank, values.end());
  return values[static_cast<std::size_t>(rank)];
}

}  // namespace inferometer
