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

/// Those values of a row in memory.
template <int N>
struct Pairs {
  unsigned pairs[N / 8] = {};

  __device__ __forceinline__ void fetch(const Bf16* row, int first, int columns) {
#pragma unroll
    for (int j = 0; j < N / 8; ++j) {
      const int at = first + threadIdx.x % 4 * 2 + 8 * j;
      const unsigned low = at < columns ? row[at] : 0, high = at + 1 < columns ? row[at + 1] : 0;
      pairs[j] = low | high << 16;
    }
  }
  __device__ __forceinline__ float low(int j) const { return __uint_as_float(pairs[j] << 16); }
  __device__ __forceinline__ float high(int j) const { return __uint_as_float(pairs[j] & 0xffff0000U); }
};

/// What is added to a token's outputs and, in a norm, what they are multiplied by: fetched before a tile's
/// products.
template <int N>
struct Beside {
  Pairs<N> residual, weight;

  template <class Product>
  __device__ __forceinline__ void fetch(const Product& a, const Epilogue& epilogue, const NormOut& norm,
                                        int token, int first) {
    if (token >= a.tokens) return;
    if (epilogue.residual != nullptr)
      residual.fetch(epilogue.residual + token * epilogue.residual_stride, first, a.out);
    if (of_fp8<Product> || norm.squares == nullptr) return;
    residual.fetch(norm.residual + token * norm.residual_stride, first, a.out);
    weight.fetch(norm.weight, first, a.out);
  }
};

/// Over the four threads of a token.
__device__ __forceinline__ float sum_of_four(float x) {
  const unsigned four = 15U << (threadIdx.x % 32 / 4 * 4);
  x += __shfl_xor_sync(four, x, 1);
  return x + __shfl_xor_sync(four, x, 2);
}
/// What a token's sums are multiplied by, by its four threads.
template <class Product>
__device__ __forceinline__ float scale_of(const Product& a, const NormIn& norm, int token) {
  if constexpr (of_fp8<Product>) {
    return *a.x_scale * *a.w_scale;
  } else {
    if (norm.squares == nullptr || token >= a.tokens) return 1;
    const float* row = norm.squares + token * row_of_parts(norm.parts);
    float squares = 0;
#pragma unroll 8
    for (int i = static_cast<int>(threadIdx.x) % 4 * 4; i < norm.parts; i += 16) {
      const float4 four = *reinterpret_cast<const float4*>(row + i);
      squares += four.x + (i + 1 < norm.parts ? four.y : 0) + (i + 2 < norm.parts ? four.z : 0) +
                 (i + 3 < norm.parts ? four.w : 0);
    }
    return rsqrtf(sum_of_four(squares) / static_cast<float>(a.in) + norm.eps);
  }
}

/// The residual norm of a tile's outputs of a token, but for the scale of its row, by four threads. Products
/// are rounded to bf16 before they are added, as kernels of their own would store them.
/// tile: also which of the `parts` of the row's squares is this one's
template <int N>
__device__ void store_normed(const float (&sums)[N / 4], float scale, const Bf16Product& a,
                             const NormOut& norm, const Beside<N>& beside, int token, int tile, int parts) {
  const Bf16Product to_sum{
      .y = norm.sum, .y_stride = norm.sum_stride, .tokens = a.tokens, .in = a.in, .out = a.out};
  float squares = 0;
#pragma unroll
  for (int j = 0; j < N / 8; ++j) {
    const int at = tile * N + static_cast<int>(threadIdx.x) % 4 * 2 + 8 * j;
    if (at >= a.out) continue;
    const auto add = [](float product, float residual) {
      return to_float(to_bf16(to_float(to_bf16(product)) + residual));
    };
    const float low = add(sums[2 * j] * scale, beside.residual.low(j)),
                high = at + 1 < a.out ? add(sums[2 * j + 1] * scale, beside.residual.high(j)) : 0;
    store_two(to_sum, token, at, low, high);
    store_two(a, token, at, low * beside.weight.low(j), high * beside.weight.high(j));
    squares += low * low + high * high;
  }
  squares = sum_of_four(squares);
  if (threadIdx.x % 4 == 0) norm.squares[token * row_of_parts(parts) + tile] = squares;
}

/// The outputs from `first` on of a token, by four threads: sums[2 j + i] is of row 8 j + 2 (lane % 4) + i of
/// the tile's rows of W.
template <int N, class Product>
__device__ void store_token(const float (&sums)[N / 4], float scale, const Product& a,
                            const Epilogue& epilogue, const Pairs<N>& residual, int token, int first) {
  const auto sum = [&](int i) { return sums[i] * scale; };
  first += threadIdx.x % 4 * 2;
  if (!epilogue.gated) {
#pragma unroll
    for (int j = 0; j < N / 8; ++j) {
      if (first + 8 * j < a.out)
        store_two(a, token, first + 8 * j, sum(2 * j) + residual.low(j), sum(2 * j + 1) + residual.high(j));
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
