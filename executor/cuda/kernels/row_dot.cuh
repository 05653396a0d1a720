#pragma once
#include "executor/cuda/kernels/device.cuh"

#ifdef INFEROMETER_HOPPER
namespace inferometer::cuda {

/// The dot product of two rows, of which the lanes of a warp give 16 bytes of both at a time.
template <bool Fp8>
struct RowDot;

template <>
struct RowDot<false> {
  float sum = 0;
  __device__ __forceinline__ void add(const uint4& w, const uint4& x) {
    const unsigned a[4] = {w.x, w.y, w.z, w.w}, b[4] = {x.x, x.y, x.z, x.w};
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      sum = fmaf(__uint_as_float(a[i] << 16), __uint_as_float(b[i] << 16), sum);
      sum = fmaf(__uint_as_float(a[i] & 0xffff0000U), __uint_as_float(b[i] & 0xffff0000U), sum);
    }
  }
  __device__ __forceinline__ float of_lane(int) const { return sum; }
};

/// Each lane gives bytes of one row of a matrix and the same bytes of one row of another: sums of their
/// products are on the diagonal of the product, wherever along k the bytes are from.
template <>
struct RowDot<true> {
  float even[4] = {}, odd[4] = {};
  static __device__ __forceinline__ void multiply(float (&d)[4], unsigned a0, unsigned a1, unsigned b0,
                                                  unsigned b1) {
    asm volatile(
        "mma.sync.aligned.m16n8k32.row.col.f32.e4m3.e4m3.f32 {%0, %1, %2, %3}, {%4, %5, %6, %5}, {%7, %8}, "
        "{%0, %1, %2, %3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a0), "r"(0), "r"(a1), "r"(b0), "r"(b1));
  }
  __device__ __forceinline__ void add(const uint4& w, const uint4& x) {
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
