#pragma once
#include "model/dtype.hpp"

namespace inferometer::cpu {

/// FLOP/s (integer operations for int8) of one large oneDNN product, best of several.
FlopsPerSecond matrix_rate(DType dtype, int threads);

}  // namespace inferometer::cpu
