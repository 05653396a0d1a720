#pragma once
#include <cuda_fp16.h>

#include "executor/cuda/kernels/device.cuh"
#include "executor/cuda/kernels/int4.hpp"

// int4 weights in shared memory and registers.
#ifdef INFEROMETER_HOPPER
namespace inferometer::cuda {

/// A word's values as 128 + q, which bf16 holds exactly.
__device__ __forceinline__ void unpack_word(unsigned (&a)[4], unsigned word) {
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    // (x & y) | z in one instruction, which the compiler makes two of because it has two constants.
    asm("lop3.b32 %0, %1, %2, %3, 0xea;"
        : "=r"(a[i])
        : "r"(word >> (4 * i)), "r"(0x000f000fU), "r"(0x43004300U));
  }
}
/// 128 + zero.
__device__ __forceinline__ float zero_float(unsigned zero) {
  return __uint_as_float(0x43000000U | zero << 16);
}
/// 128 + zero, twice.
__device__ __forceinline__ unsigned zero_pair(unsigned zero) { return 0x43004300U | zero * 0x10001U; }

__device__ __forceinline__ __nv_bfloat162 as_pair(unsigned x) {
  return *reinterpret_cast<const __nv_bfloat162*>(&x);
}
__device__ __forceinline__ unsigned as_bits(__nv_bfloat162 x) {
  return *reinterpret_cast<const unsigned*>(&x);
}
__device__ __forceinline__ unsigned subtract(unsigned x, unsigned y) {
  return as_bits(__hsub2(as_pair(x), as_pair(y)));
}

/// The lower or upper of two f16.
__device__ __forceinline__ float half_bits(unsigned both, int upper) {
  return __half2float(__ushort_as_half(static_cast<unsigned short>(both >> (16 * upper) & 0xffffU)));
}

__device__ __forceinline__ void store(const Bf16Product& a, std::int64_t row, int token, float value) {
  if (row >= a.out || token >= a.tokens) return;
  if (a.y_f32) {
    static_cast<float*>(a.y)[token * a.y_stride + row] = value;
  } else {
    static_cast<Bf16*>(a.y)[token * a.y_stride + row] = to_bf16(value);
  }
}

}  // namespace inferometer::cuda
#endif
