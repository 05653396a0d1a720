#pragma once
#include "executor/cuda/kernels/fp8.cuh"
#include "executor/cuda/kernels/one_token_row.cuh"

// The rows of W that a warp multiplies by one token's row.

namespace inferometer::cuda {

/// Where a warp is that goes through units of rows of W piece by piece, each piece in the next of its stages.
struct Walk {
  int stage = 0, unit = 0, piece = 0;
  unsigned phase = 0;  ///< parity of the rounds through the stages

  __device__ __forceinline__ void next(int stages, int pieces) {
    if (++stage == stages) {
      stage = 0;
      phase ^= 1;
    }
    if (++piece == pieces) {
      piece = 0;
      ++unit;
    }
  }
};

/// Which of `all` units a warp of a block multiplies: neighbours lie in neighbouring warps, which memory
/// likes better than dealing the last few out to all blocks.
struct Share {
  int first, step, count;

  __device__ __forceinline__ Share(int all, int warp, int warps)
      : first(static_cast<int>(blockIdx.x) * warps + warp),
        step(static_cast<int>(gridDim.x) * warps),
        count(first < all ? (all - first + step - 1) / step : 0) {}
  __device__ __forceinline__ int of(int unit) const { return first + unit * step; }
};

/// What an Epilogue adds to the rows of W that a warp has, Rows to a unit: each lane fetches that of a unit,
/// of 32 units at a time, long before it is needed.
template <int Rows>
struct Residuals {
  float mine[Rows] = {};

  __device__ __forceinline__ void fetch(const Epilogue& epilogue, const Share& own, int first, int out) {
    const int unit = first + static_cast<int>(threadIdx.x) % 32;
    if (epilogue.residual == nullptr || unit >= own.count) return;
#pragma unroll
    for (int r = 0; r < Rows; ++r) {
      const int row = own.of(unit) * Rows + r;
      if (row < out) mine[r] = to_float(epilogue.residual[row]);
    }
  }
  /// All lanes.
  __device__ __forceinline__ float of(int unit, int row = 0) const {
    return __shfl_sync(~0U, mine[row], unit % 32);
  }
};

/// y[at] = sum
template <class Product>
__device__ __forceinline__ void store_sum(const Product& a, int at, float sum) {
  if (a.y_f32) {
    static_cast<float*>(a.y)[at] = sum;
  } else {
    static_cast<Bf16*>(a.y)[at] = to_bf16(sum);
  }
}
/// y[at] of a gated Epilogue; factor: of its y_scale, where there is one.
template <class Product>
__device__ __forceinline__ void store_gated(const Product& a, const Epilogue& epilogue, int at, float gate,
                                            float up, float factor) {
  const Bf16 y = to_bf16(gate_silu(to_float(to_bf16(gate)), to_float(to_bf16(up))));
  if (epilogue.y_scale == nullptr) {
    static_cast<Bf16*>(a.y)[at] = y;
  } else {
    static_cast<std::uint8_t*>(a.y)[at] = to_fp8(to_float(y) * factor);
  }
}

}  // namespace inferometer::cuda
