#pragma once
#include <vector>

namespace inferometer {

/// A predicted and a measured time of one call.
struct Scored {
  double predicted = 0, low = 0, high = 0;  ///< us, with the 90 % interval
  double measured = 0;                      ///< us
  double resolution = 0;                    ///< us that `measured` is rounded to
  double error() const { return predicted / measured - 1; }
};

/// How far predictions are off, in percent of what was measured.
struct Accuracy {
  std::size_t n = 0;
  double median_ape = 0, mape = 0, p90_ape = 0;  ///< absolute percentage errors
  double bias = 0;                               ///< mean signed error: above 0 predictions are too long
  double coverage = 0;                           ///< of the 90 % interval, as far as rounding tells
};

/// Whether rounding alone can be 5 % of what was measured.
inline bool is_coarse(const Scored& s) { return s.measured < 10 * s.resolution; }

Accuracy accuracy_of(const std::vector<Scored>& scored);

}  // namespace inferometer
