#pragma once
#include "executor/cuda/kernels/fp8.cuh"
#include "executor/cuda/kernels/streamed_stages.cuh"

// What becomes of the sums of a streamed product's tile.

namespace inferometer::cuda::streaming {

/// Values [at, at + 2) of a token.
template <class Product>
__device__ __forceinline__ void store_two(const Product& a, int token, int at, float low, float high) {
  const std::int64_t place = token * a.y_stride + at;
  const bool both = at + 1 < a.out;
  if (a.y_f32) {
    static_cast<float*>(a.y)[place] = low;
    if (both) static_cast<float*>(a.y)[place + 1] = high;
    return;
  }
  Bf16* y = static_cast<Bf16*>(a.y) + place;
  if (both && reinterpret_cast<std::uintptr_t>(y) % 4 == 0) {
    *reinterpret_cast<unsigned*>(y) = pack(low, high);
  } else {
    y[0] = to_bf16(low);
    if (both) y[1] = to_bf16(high);
  }
}

/// What is added to those, fetched before they are multiplied.
template <int N>
struct Residuals {
  unsigned pairs[N / 8] = {};

  template <class Product>
  __device__ __forceinline__ void fetch(const Product& a, const Epilogue& epilogue, int token, int first) {
    if (epilogue.residual == nullptr || token >= a.tokens) return;
    const Bf16* row = epilogue.residual + token * epilogue.residual_stride;
#pragma unroll
    for (int j = 0; j < N / 8; ++j) {
      const int at = first + threadIdx.x % 4 * 2 + 8 * j;
      const unsigned low = at < a.out ? row[at] : 0, high = at + 1 < a.out ? row[at + 1] : 0;
      pairs[j] = low | high << 16;
    }
  }
  __device__ __forceinline__ float low(int j) const { return __uint_as_float(pairs[j] << 16); }
  __device__ __forceinline__ float high(int j) const { return __uint_as_float(pairs[j] & 0xffff0000U); }
};

/// The outputs from `first` on of a token, by four threads: sums[2 j + i] is of row 8 j + 2 (lane % 4) + i of
/// the tile's rows of W.
template <int N, class Product>
__device__ void store_token(const float (&sums)[N / 4], const Product& a, const Epilogue& epilogue,
                            const Residuals<N>& residuals, int token, int first) {
  if (token >= a.tokens) return;
  float scale = 1;
  if constexpr (of_fp8<Product>) scale = *a.x_scale * *a.w_scale;
  const auto sum = [&](int i) { return sums[i] * scale; };
  first += threadIdx.x % 4 * 2;
  if (!epilogue.gated) {
#pragma unroll
    for (int j = 0; j < N / 8; ++j) {
      if (first + 8 * j < a.out)
        store_two(a, token, first + 8 * j, sum(2 * j) + residuals.low(j), sum(2 * j + 1) + residuals.high(j));
    }
    return;
  }
  const float factor = epilogue.y_scale != nullptr ? factor_of(epilogue.y_scale) : 0;
#pragma unroll
  for (int j = 0; j < N / 16; ++j) {
    const int at = first + 8 * j;
    if (at >= a.out) continue;
    float y[2];
#pragma unroll
    for (int i = 0; i < 2; ++i)
      y[i] = gate_silu(to_float(to_bf16(sum(2 * j + i))), to_float(to_bf16(sum(2 * j + i + N / 8))));
    if (epilogue.y_scale == nullptr) {
      store_two(a, token, at, y[0], y[1]);
      continue;
    }
    std::uint8_t* q = static_cast<std::uint8_t*>(a.y) + token * a.y_stride + at;
    q[0] = to_fp8(to_float(to_bf16(y[0])) * factor);
    if (at + 1 < a.out) q[1] = to_fp8(to_float(to_bf16(y[1])) * factor);
  }
}

}  // namespace inferometer::cuda::streaming
