#pragma once
#include "executor/cuda/kernels/kernels.hpp"

namespace inferometer::cuda {

/// q = x / scale in e4m3, saturating.   x [tokens, width]   scale [1]
struct QuantizeArguments {
  In x;
  QuantizedOut q;
  std::int64_t tokens = 0, width = 0;
};
void quantize_fp8(const QuantizeArguments& a, const Queue& queue);

/// scale = max|x| / 448, the largest e4m3.   x [tokens, width]   scale [1]
void find_input_scale(In x, std::int64_t tokens, std::int64_t width, float* scale, const Queue& queue);

}  // namespace inferometer::cuda
