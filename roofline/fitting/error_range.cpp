#include "roofline/fitting/error_range.hpp"

#include <algorithm>
#include <cmath>
#include <map>

namespace inferometer {
namespace {

constexpr double z95 = 1.6448536269514722;  ///< of the normal distribution

/// source  Abramowitz, Stegun, "Handbook of Mathematical Functions", 26.7.5; within 1.5 % from 2 degrees on
double student95(double degrees) {
  const double v = std::max(1.0, degrees), z = z95, z3 = z * z * z, z5 = z3 * z * z, z7 = z5 * z * z;
  return z + (z3 + z) / (4 * v) + (5 * z5 + 16 * z3 + 3 * z) / (96 * v * v) +
         (3 * z7 + 19 * z5 + 17 * z3 - 15 * z) / (384 * v * v * v);
}

/// What the next of n + 1 errors lies within, in units of the deviation of n: it and their mean vary.
double reach(double n) { return student95(n - 1) * std::sqrt(1 + 1 / n); }

double mean_of(const std::vector<ShapeError>& errors) {
  double sum = 0;
  for (const ShapeError& e : errors) sum += e.error;
  return sum / static_cast<double>(errors.size());
}

double squares_around(const std::vector<ShapeError>& errors, double mean) {
  double sum = 0;
  for (const ShapeError& e : errors) sum += (e.error - mean) * (e.error - mean);
  return sum;
}

}  // namespace

double independent_errors(const std::vector<ShapeError>& errors) {
  std::map<std::uint64_t, std::vector<ShapeError>> shapes;
  for (const ShapeError& e : errors) shapes[e.shape].push_back(e);
  const auto n = static_cast<double>(errors.size()), k = static_cast<double>(shapes.size());
  if (k < 2 || k == n) return n;
  const double mean = mean_of(errors);
  double between = 0, within = 0, square_sizes = 0;
  for (const auto& [shape, of] : shapes) {
    const double m = static_cast<double>(of.size()), own = mean_of(of);
    between += m * (own - mean) * (own - mean);
    within += squares_around(of, own);
    square_sizes += m * m;
  }
  between /= k - 1;
  within /= n - k;
  const double size = (n - square_sizes / n) / (k - 1);
  const double spread = between + (size - 1) * within;
  const double alike = spread > 0 ? std::clamp((between - within) / spread, 0.0, 1.0) : 0;
  return n / (1 + (square_sizes / n - 1) * alike);
}

ErrorRange error_range(const std::vector<ShapeError>& errors) {
  const std::size_t n = errors.size();
  if (n < 2) return {};
  const double count = static_cast<double>(n), mean = mean_of(errors);
  const double wider = reach(std::max(2.0, independent_errors(errors))) / reach(count);
  constexpr std::size_t ranks_exist = 19;
  if (n < ranks_exist) {
    const double half = reach(count) * std::sqrt(squares_around(errors, mean) / (count - 1));
    return {mean - wider * half, mean + wider * half};
  }
  std::vector<double> sorted;
  for (const ShapeError& e : errors) sorted.push_back(e.error);
  std::sort(sorted.begin(), sorted.end());
  const double rank = 0.05 * (count + 1);  // from 1, of the lower end
  const auto whole = static_cast<std::size_t>(rank);
  const double part = rank - std::floor(rank), middle = sorted[n / 2];
  const double low = std::lerp(sorted[whole - 1], sorted[whole], part);
  const double high = std::lerp(sorted[n - whole], sorted[n - whole - 1], part);
  return {middle + wider * (low - middle), middle + wider * (high - middle)};
}

}  // namespace inferometer
