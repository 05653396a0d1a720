#pragma once
#include <cmath>
#include <vector>

#include "roofline/kernels/kernel_call.hpp"

namespace inferometer {

/// A call that somebody measured.
struct Sample {
  KernelCall call;
  Chip chip;
  double measured = 0;    ///< us
  double resolution = 0;  ///< us that `measured` is rounded to; 0: it is not
};

/// log(measured / modelled).
inline double log_ratio(const Sample& s, Values values) {
  return std::log(s.measured / time_of(s.call, s.chip, values).total);
}
inline std::vector<double> log_ratios(const std::vector<Sample>& samples, Values values) {
  std::vector<double> ratios;
  for (const Sample& s : samples) ratios.push_back(log_ratio(s, values));
  return ratios;
}

}  // namespace inferometer
