#pragma once
#include "executor/cuda/kernels/flags.cuh"
#include "executor/cuda/kernels/products.hpp"

// The row that products of one token multiply, made by each block for itself.
#ifdef INFEROMETER_HOPPER
namespace inferometer::cuda {

/// As one vector: parts of it would take a register each.
__device__ __forceinline__ uint4 load_eight(const std::uint16_t* from, int i) {
  return __ldcg(reinterpret_cast<const uint4*>(from) + i);
}
__device__ __forceinline__ Eight eight_of(const uint4& x) { return *reinterpret_cast<const Eight*>(&x); }

/// Brings the norm's weight near before the kernel before has ended; by all threads of a block of Threads.
template <Prologue::Kind K, int Threads>
__device__ __forceinline__ void fetch_weight(const Prologue& p, int in) {
  if constexpr (is_norm(K)) {
#pragma unroll 1
    for (int at = threadIdx.x * 64; at < in; at += Threads * 64)  // lines of 128 bytes
      asm volatile("prefetch.global.L2 [%0];" ::"l"(p.weight + at));
  }
}

/// What becomes of an element of the row and of the prologue's second.
template <Prologue::Kind K>
__device__ __forceinline__ float join(float x, float second) {
  return K == Prologue::Kind::gated ? gate_silu(x, second) : x + second;
}
/// What a norm scales a row [in] by.   squares: this thread's of the row   parts [Warps]: in shared memory
/// By the first Warps warps of a block, which meet at barrier 1.
template <int Warps>
__device__ __forceinline__ float norm_scale(float squares, float* parts, int in, float eps) {
  squares = warp_sum(squares);
  if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = squares;
  meet<Warps * 32>(1);
  float sum = 0;
#pragma unroll
  for (int w = 0; w < Warps; ++w) sum += parts[w];
  return rsqrtf(sum / static_cast<float>(in) + eps);
}

/// Calls keep(i, elements 8 i to 8 i + 8) for what the prologue makes of row x [in]. Rounded to bf16 wherever
/// kernels of their own would store it.
/// scratch [in]: in shared memory, for norms; keep may write to it   parts [Warps]: in shared memory
/// For the first Warps warps of a block, which meet at barrier 1; a thread keeps elements that it alone read,
/// so that no barrier is needed between. What a thread reads of the first 8 Warps * 32 * most_ahead elements
/// is on its way before it uses any. asked(): is called once by each thread, when all of the row is on its
/// way
template <Prologue::Kind K, int Warps, class Asked, class Keep>
__device__ void make_row(const std::uint16_t* row, int in, const Prologue& p, Eight* scratch, float* parts,
                         Asked asked, Keep keep) {
  using Kind = Prologue::Kind;
  constexpr bool norm = is_norm(K), two = K == Kind::add_norm || K == Kind::gated;
  constexpr int threads = Warps * 32, most_ahead = 4;
  const int count = in / 8;
  float squares = 0;
  uint4 weights[most_ahead] = {};
#pragma unroll 1
  for (int all = 0; all < count; all += threads * most_ahead) {
    const int from = all + static_cast<int>(threadIdx.x);
    uint4 first[most_ahead], second[most_ahead];
#pragma unroll
    for (int a = 0; a < most_ahead; ++a) {
      const int i = from + a * threads;
      if (i >= count) break;
      first[a] = load_eight(row, i);
      if constexpr (two) second[a] = load_eight(p.second, i);
      if (norm && all == 0) weights[a] = load_eight(p.weight, i);
    }
    if (all + threads * most_ahead >= count) asked();
#pragma unroll
    for (int a = 0; a < most_ahead; ++a) {
      const int i = from + a * threads;
      if (i >= count) break;
      Eight x = eight_of(first[a]);
      if constexpr (two) x = each(x, eight_of(second[a]), join<K>);
      if (K == Kind::add_norm && blockIdx.x == 0) reinterpret_cast<Eight*>(p.sum)[i] = x;
      if constexpr (norm) {
#pragma unroll
        for (int e = 0; e < 8; ++e) squares += to_float(x.v[e]) * to_float(x.v[e]);
        scratch[i] = x;
      } else {
        keep(i, x);
      }
    }
  }
  if constexpr (norm) {
    const float scale = norm_scale<Warps>(squares, parts, in, p.eps);
    const auto finish = [&](int i, const uint4& weight) {
      keep(i, each(scratch[i], eight_of(weight), [&](float x, float w) { return x * scale * w; }));
    };
#pragma unroll
    for (int a = 0; a < most_ahead; ++a) {
      const int i = threadIdx.x + a * threads;
      if (i < count) finish(i, weights[a]);
    }
#pragma unroll 1
    for (int i = threadIdx.x + most_ahead * threads; i < count; i += threads)
      finish(i, load_eight(p.weight, i));
  }
}

}  // namespace inferometer::cuda
#endif
