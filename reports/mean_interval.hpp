#pragma once
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

namespace inferometer {

/// A mean of independent values and half the width of its 95 % interval; NaN of one value.
struct MeanInterval {
  double mean = 0, half = std::numeric_limits<double>::quiet_NaN();
};

/// t interval: mean +- t(0.975, n - 1) s / sqrt(n).
///
/// requires  1 to 31 values
/// source    Student, "The probable error of a mean", Biometrika 6, 1908; quantiles as tabulated by NIST
///           (Engineering Statistics Handbook, 1.3.6.7.2)
inline MeanInterval mean_interval(const std::vector<double>& values) {
  constexpr std::array t{12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
                         2.201,  2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
                         2.080,  2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042};
  const auto n = static_cast<double>(values.size());
  MeanInterval of{.mean = std::accumulate(values.begin(), values.end(), 0.0) / n};
  if (values.size() < 2) return of;
  double squares = 0;
  for (const double v : values) squares += (v - of.mean) * (v - of.mean);
  of.half = t.at(values.size() - 2) * std::sqrt(squares / (n - 1) / n);
  return of;
}

}  // namespace inferometer
