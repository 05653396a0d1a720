#pragma once
#include "executor/cuda/kernels/kernels.hpp"

namespace inferometer::cuda {

/// e4m3 bits of values / scale, scale = max|values| / 448.   values, q [count], scale [1]
struct Fp8WeightArguments {
  const Bf16* values = nullptr;
  std::uint8_t* q = nullptr;
  float* scale = nullptr;
  std::int64_t count = 0;
};
void quantize_fp8_weight(const Fp8WeightArguments& a, const Queue& queue);

}  // namespace inferometer::cuda
