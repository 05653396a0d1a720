#pragma once
#include <bit>
#include <cstdint>

#include "model/seeded.hpp"

namespace inferometer {

/// Natural logarithm by arithmetic alone, so that draws are the same on every machine; relative error below
/// 1e-14.   requires  x > 0, normal
/// source  ln x = e ln 2 + 2 atanh((m - 1) / (m + 1)), m in [sqrt(1/2), sqrt(2)), as a power series
constexpr double natural_log(double x) {
  const auto bits = std::bit_cast<std::uint64_t>(x);
  auto exponent = static_cast<std::int64_t>(bits >> 52) - 1023;
  double m = std::bit_cast<double>((bits & 0xfffffffffffffULL) | 0x3ff0000000000000ULL);
  if (m > 1.4142135623730951) {
    m *= 0.5;
    ++exponent;
  }
  const double z = (m - 1) / (m + 1), square = z * z;
  double sum = 0;
  for (int k = 21; k >= 1; k -= 2) sum = sum * square + 1.0 / k;
  return static_cast<double>(exponent) * 0.6931471805599453 + 2 * z * sum;
}

/// e^x likewise.   requires  |x| < 700
/// source  e^x = 2^n e^(x - n ln 2), ln 2 in two parts of which n times the first is exact (Cody, Waite 1980)
constexpr double exponential_of(double x) {
  const double scaled = x * 1.4426950408889634;
  const auto whole = static_cast<std::int64_t>(scaled + (scaled < 0 ? -0.5 : 0.5));
  const auto n = static_cast<double>(whole);
  const double rest = x - n * 0x1.62e42feep-1 - n * 0x1.a39ef35793c76p-33;
  double sum = 1;
  for (int k = 18; k >= 1; --k) sum = 1 + sum * rest / k;
  return sum * std::bit_cast<double>(static_cast<std::uint64_t>(whole + 1023) << 52);
}

/// A stream of draws: the same for a seed and name on every machine.
class Draws64 {
 public:
  Draws64(std::uint64_t seed, std::string_view name) : key_(tensor_key(seed, name)) {}
  /// In (0, 1), both ends left out.
  double uniform() {
    return (static_cast<double>(mix(key_ + counter_++ * 0x9e3779b97f4a7c15ULL) >> 12) + 0.5) * 0x1p-52;
  }
  /// Mean 1.
  double exponential() { return -natural_log(uniform()); }
  /// Mean 0, variance 1. source  Marsaglia's polar method
  double normal();
  /// Mean and variance `shape`. source  Marsaglia, Tsang, "A simple method for generating gamma variables",
  /// ACM TOMS 26(3), 2000
  double gamma(double shape);

 private:
  std::uint64_t key_, counter_ = 0;
};

}  // namespace inferometer
