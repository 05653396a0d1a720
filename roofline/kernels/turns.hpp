#pragma once
#include <algorithm>
#include <cmath>

namespace inferometer {

/// Turns that `ctas` thread blocks take on `slots`, at least 1.
/// whole  0: work is spread evenly, 1: a started turn lasts as long as a full one
inline double turns(double ctas, double slots, double whole) {
  const double w = ctas / slots;
  return std::max(1.0, whole * std::ceil(w) + (1 - whole) * w);
}

/// Fraction of `bytes` that are still in a cache of `l2` bytes when they are read again: all of them below
/// 0.4 of it, none from 1.2.
inline double cached_fraction(double bytes, double l2) {
  return std::clamp((1.2 * l2 - bytes) / (0.8 * l2), 0.0, 1.0);
}

}  // namespace inferometer
