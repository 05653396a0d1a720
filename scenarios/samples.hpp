#pragma once
#include <vector>

#include "model/timeline.hpp"

namespace inferometer {

/// n, median and the 10 % and 90 % quantiles, by linear interpolation between order statistics.
/// requires  times
Samples samples_of(std::vector<Nanoseconds> times);

/// Whether the medians of the first and the second half agree to 1 %; fewer than two times tell nothing.
bool steady(const std::vector<Nanoseconds>& times);

}  // namespace inferometer
