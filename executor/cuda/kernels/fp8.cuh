#pragma once
#include <cuda_fp8.h>

#include "executor/cuda/kernels/device.cuh"

namespace inferometer::cuda {

/// e4m3 bits, saturating, the first value in the lowest byte.
__device__ __forceinline__ std::uint8_t to_fp8(float x) {
  return __nv_cvt_float_to_fp8(x, __NV_SATFINITE, __NV_E4M3);
}
__device__ __forceinline__ uint2 to_fp8(const Eight& x, float factor) {
  unsigned pairs[4];
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const float2 two{to_float(x.v[2 * i]) * factor, to_float(x.v[2 * i + 1]) * factor};
    pairs[i] = __nv_cvt_float2_to_fp8x2(two, __NV_SATFINITE, __NV_E4M3);
  }
  return {pairs[0] | pairs[1] << 16, pairs[2] | pairs[3] << 16};
}
/// What values are multiplied by; a scale of zero is that of zeros.
__device__ __forceinline__ float factor_of(const float* scale) {
  const float s = *scale;
  return s > 0 ? 1 / s : 0;
}

#ifdef INFEROMETER_HOPPER
/// Two e4m3 values as f16, which holds them exactly.
__device__ __forceinline__ unsigned halves(unsigned two) {
  unsigned y = 0;
  asm("cvt.rn.f16x2.e4m3x2 %0, %1;" : "=r"(y) : "h"(static_cast<unsigned short>(two)));
  return y;
}
#endif

}  // namespace inferometer::cuda
