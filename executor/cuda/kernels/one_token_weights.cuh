#pragma once
#include "executor/cuda/kernels/fp8.cuh"
#include "executor/cuda/kernels/one_token_row.cuh"

// The rows of W that a warp multiplies by one token's row.

namespace inferometer::cuda {

/// Where a warp is that goes through rows of W piece by piece, each piece in the next of its stages.
struct Walk {
  int stage = 0, row = 0, piece = 0;
  unsigned phase = 0;  ///< parity of the rounds through the stages

  __device__ __forceinline__ void next(int stages, int pieces) {
    if (++stage == stages) {
      stage = 0;
      phase ^= 1;
    }
    if (++piece == pieces) {
      piece = 0;
      ++row;
    }
  }
};

/// Rows of W, in order, and where their sums go: y[first], y[first + step] and so on, of which each takes one
/// row, or with a gated epilogue the gate's and then up's.
template <class Product>
struct OwnRows {
  const Product& a;
  const Epilogue& epilogue;
  int first, step;
  float gate = 0;

  __device__ __forceinline__ int count() const {
    const int ys = first < a.out ? (a.out - first + step - 1) / step : 0;
    return epilogue.gated ? 2 * ys : ys;
  }
  __device__ __forceinline__ std::int64_t of_w(int row) const {
    return epilogue.gated ? first + row / 2 * step + row % 2 * a.out : first + row * step;
  }
  __device__ __forceinline__ void finish(int row, float sum, float y_scale) {
    if (!epilogue.gated) {
      store(first + row * step, sum);
    } else if (row % 2 == 0) {
      gate = to_float(to_bf16(sum));
    } else {
      const float y = gate_silu(gate, to_float(to_bf16(sum)));
      const int at = first + row / 2 * step;
      if (epilogue.y_scale == nullptr) {
        static_cast<Bf16*>(a.y)[at] = to_bf16(y);
      } else {
        static_cast<std::uint8_t*>(a.y)[at] = to_fp8(to_float(to_bf16(y)) * factor_of(&y_scale));
      }
    }
  }
  __device__ __forceinline__ void store(int at, float sum) const {
    if (a.y_f32) {
      static_cast<float*>(a.y)[at] = sum;
    } else {
      static_cast<Bf16*>(a.y)[at] = to_bf16(sum);
    }
  }
};

}  // namespace inferometer::cuda
