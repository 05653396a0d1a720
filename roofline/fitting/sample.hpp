#pragma once
#include "roofline/kernels/kernel_call.hpp"

namespace inferometer {

/// A call that somebody measured.
struct Sample {
  KernelCall call;
  Chip chip;
  double measured = 0;  ///< us
};

}  // namespace inferometer
