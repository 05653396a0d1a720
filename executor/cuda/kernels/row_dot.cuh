#pragma once
#include "executor/cuda/kernels/fp8.cuh"
#include "executor/cuda/kernels/mma.cuh"

#ifdef INFEROMETER_HOPPER
namespace inferometer::cuda {

/// The dot product of a row of weights and a row of values, of which the lanes of a warp give eight of both
/// at a time. Values are held in 16 bits each: what widen() makes of eight as they lie in memory.
template <bool Fp8>
struct RowDot;

template <>
struct RowDot<false> {
  using Stored = uint4;  ///< eight in bf16
  float sum = 0;

  static __device__ __forceinline__ uint4 widen(const Stored& values) { return values; }
  __device__ __forceinline__ void add(Stored w, uint4 x) {
    const unsigned a[4] = {w.x, w.y, w.z, w.w}, b[4] = {x.x, x.y, x.z, x.w};
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      sum = fmaf(__uint_as_float(a[i] << 16), __uint_as_float(b[i] << 16), sum);
      sum = fmaf(__uint_as_float(a[i] & 0xffff0000U), __uint_as_float(b[i] & 0xffff0000U), sum);
    }
  }
  __device__ __forceinline__ float of_lane(int) const { return sum; }
};

/// Each lane gives four values of one row of a matrix and the same of one row of another: sums of their
/// products are on the diagonal of the product, wherever along k the values are from. In f16, which holds
/// e4m3 exactly: compute capability 9.0 has mma.sync of e4m3 only emulated.
template <>
struct RowDot<true> {
  using Stored = uint2;  ///< eight in e4m3
  float even[4] = {}, odd[4] = {};

  static __device__ __forceinline__ uint4 widen(const Stored& values) {
    return {halves(values.x), halves(values.x >> 16), halves(values.y), halves(values.y >> 16)};
  }
  static __device__ __forceinline__ void multiply(float (&d)[4], unsigned w0, unsigned w1, unsigned x0,
                                                  unsigned x1) {
    const unsigned rows[4] = {w0, 0, w1, 0};
    multiply_add<true>(d, rows, x0, x1);
  }
  __device__ __forceinline__ void add(Stored weights, uint4 x) {
    const uint4 w = widen(weights);
    multiply(even, w.x, w.y, x.x, x.y);
    multiply(odd, w.z, w.w, x.z, x.w);
  }
  /// Element (lane / 4, lane / 4) is with lane % 4 = lane / 8.
  __device__ __forceinline__ float of_lane(int lane) const {
    if (lane % 4 != lane / 8) return 0;
    return lane / 4 % 2 == 0 ? even[0] + odd[0] : even[1] + odd[1];
  }
};

}  // namespace inferometer::cuda
#endif
