#pragma once
#include "executor/cuda/kernels/fp8.cuh"
#include "executor/cuda/kernels/streamed_stages.cuh"

// What becomes of the sums of a streamed product's tile.

namespace inferometer::cuda::streaming {

/// Whether each two values of a row, of which the first has an even place, are one store or load: of y,
/// whatever it is in, and of a residual.
template <class Product>
__device__ __forceinline__ bool in_pairs(const Product& a, const Epilogue& epilogue) {
  const std::int64_t strides = a.y_stride | epilogue.residual_stride;
  return a.out % 2 == 0 && strides % 2 == 0 && reinterpret_cast<std::uintptr_t>(a.y) % 8 == 0 &&
         reinterpret_cast<std::uintptr_t>(epilogue.residual) % 4 == 0;
}

/// Values `at` and at + 1 of a row. Whole: see in_pairs()
template <bool Whole>
__device__ __forceinline__ void store_two(Bf16* row, int at, int columns, float low, float high) {
  if constexpr (Whole) {
    *reinterpret_cast<unsigned*>(row + at) = pack(low, high);
  } else {
    row[at] = to_bf16(low);
    if (at + 1 < columns) row[at + 1] = to_bf16(high);
  }
}
template <bool Whole>
__device__ __forceinline__ void store_two(float* row, int at, int columns, float low, float high) {
  if constexpr (Whole) {
    *reinterpret_cast<float2*>(row + at) = {low, high};
  } else {
    row[at] = low;
    if (at + 1 < columns) row[at + 1] = high;
  }
}
/// low and high are rounded to bf16 first.
template <bool Whole>
__device__ __forceinline__ void store_two_fp8(std::uint8_t* row, int at, int columns, float low, float high,
                                              float factor) {
  const unsigned first = to_fp8(to_float(to_bf16(low)) * factor),
                 second = to_fp8(to_float(to_bf16(high)) * factor);
  if constexpr (Whole) {
    *reinterpret_cast<std::uint16_t*>(row + at) = static_cast<std::uint16_t>(first | second << 8);
  } else {
    row[at] = static_cast<std::uint8_t>(first);
    if (at + 1 < columns) row[at + 1] = static_cast<std::uint8_t>(second);
  }
}

/// What a row in memory has in the places of this thread's outputs of a tile.
template <int N>
struct Pairs {
  unsigned pairs[N / 8] = {};

  template <bool Whole>
  __device__ __forceinline__ void fetch(const Bf16* row, int first, int columns) {
#pragma unroll
    for (int j = 0; j < N / 8; ++j) {
      const int at = first + threadIdx.x % 4 * 2 + 8 * j;
      if constexpr (Whole) {
        if (at < columns) pairs[j] = *reinterpret_cast<const unsigned*>(row + at);
      } else {
        const unsigned low = at < columns ? row[at] : 0, high = at + 1 < columns ? row[at + 1] : 0;
        pairs[j] = low | high << 16;
      }
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
                                        int token, int first, bool whole) {
    if (token >= a.tokens) return;
    if (epilogue.residual != nullptr) {
      const Bf16* row = epilogue.residual + token * epilogue.residual_stride;
      if (whole) {
        residual.template fetch<true>(row, first, a.out);
      } else {
        residual.template fetch<false>(row, first, a.out);
      }
    }
    if (of_fp8<Product> || norm.squares == nullptr) return;
    residual.template fetch<true>(norm.residual + token * norm.residual_stride, first, a.out);
    weight.template fetch<true>(norm.weight, first, a.out);
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
/// requires all rows in pairs
template <int N>
__device__ __forceinline__ void store_normed(const float (&sums)[N / 4], float scale, const Bf16Product& a,
                                             const NormOut& norm, const Beside<N>& beside, int token,
                                             int tile, int parts) {
  Bf16 *sum = norm.sum + token * norm.sum_stride, *y = static_cast<Bf16*>(a.y) + token * a.y_stride;
  const auto add = [](float product, float residual) {
    return to_float(to_bf16(to_float(to_bf16(product)) + residual));
  };
  float squares = 0;
#pragma unroll
  for (int j = 0; j < N / 8; ++j) {
    const int at = tile * N + static_cast<int>(threadIdx.x) % 4 * 2 + 8 * j;
    if (at >= a.out) continue;
    const float low = add(sums[2 * j] * scale, beside.residual.low(j)),
                high = add(sums[2 * j + 1] * scale, beside.residual.high(j));
    store_two<true>(sum, at, a.out, low, high);
    store_two<true>(y, at, a.out, low * beside.weight.low(j), high * beside.weight.high(j));
    squares += low * low + high * high;
  }
  squares = sum_of_four(squares);
  if (threadIdx.x % 4 == 0) norm.squares[token * row_of_parts(parts) + tile] = squares;
}

/// The outputs from `first` on of a token, by four threads: sums[2 j + i] is of row 8 j + 2 (lane % 4) + i of
/// the tile's rows of W.
template <int N, bool Whole, class Product>
__device__ __forceinline__ void store_token(const float (&sums)[N / 4], float scale, const Product& a,
                                            const Epilogue& epilogue, const Pairs<N>& residual, int token,
                                            int first) {
  const auto sum = [&](int i) { return sums[i] * scale; };
  // Calls store(at, j) for each two outputs, of which Each / 8 are this thread's.
  const auto each = [&]<int Each>(std::integral_constant<int, Each>, auto store) {
#pragma unroll
    for (int j = 0; j < Each / 8; ++j) {
      const int at = first + static_cast<int>(threadIdx.x) % 4 * 2 + 8 * j;
      if (at < a.out) store(at, j);
    }
  };
  constexpr std::integral_constant<int, N> all;
  constexpr std::integral_constant<int, N / 2> gates;
  const auto activated = [&](int i) {
    return gate_silu(to_float(to_bf16(sum(i))), to_float(to_bf16(sum(i + N / 8))));
  };
  const std::int64_t row = token * a.y_stride;
  const auto plain = [&](auto* y) {
    each(all, [&](int at, int j) {
      store_two<Whole>(y + row, at, a.out, sum(2 * j) + residual.low(j), sum(2 * j + 1) + residual.high(j));
    });
  };
  if (epilogue.gated && epilogue.y_scale != nullptr) {
    const float factor = factor_of(epilogue.y_scale);
    each(gates, [&](int at, int j) {
      store_two_fp8<Whole>(static_cast<std::uint8_t*>(a.y) + row, at, a.out, activated(2 * j),
                           activated(2 * j + 1), factor);
    });
  } else if (epilogue.gated) {
    each(gates, [&](int at, int j) {
      store_two<Whole>(static_cast<Bf16*>(a.y) + row, at, a.out, activated(2 * j), activated(2 * j + 1));
    });
  } else if (a.y_f32) {
    plain(static_cast<float*>(a.y));
  } else {
    plain(static_cast<Bf16*>(a.y));
  }
}

}  // namespace inferometer::cuda::streaming
