#pragma once
#include "executor/cuda/kernels/hopper.cuh"
#include "executor/cuda/kernels/products.hpp"

// The row of a one-token product on its way into shared memory.
#ifdef INFEROMETER_HOPPER
namespace inferometer::cuda {

__device__ __forceinline__ Eight load_eight(const std::uint16_t* from, int i) {
  Eight all;
  *reinterpret_cast<uint4*>(&all) = __ldcg(reinterpret_cast<const uint4*>(from) + i);
  return all;
}
/// The first Count threads of a block, which may have more.
template <int Count>
__device__ __forceinline__ void meet(int barrier) {
  asm volatile("bar.sync %0, %1;" ::"r"(barrier), "n"(Count) : "memory");
}

/// The row that is multiplied, in shared memory. Rounded to bf16 wherever kernels of their own would store
/// it.   Called by the first Threads threads; uses barrier 1; parts [Threads / 32]
template <Prologue::Kind K, int Threads>
__device__ void stage_row(Eight* to, const FewTokensProduct& a, const Prologue& p, float* parts) {
  using Kind = Prologue::Kind;
  float squares = 0;
  for (int i = threadIdx.x; i < a.in / 8; i += Threads) {
    Eight x = load_eight(a.x, i);
    if constexpr (K == Kind::add_norm || K == Kind::gated) {
      const Eight second = load_eight(p.second, i);
#pragma unroll
      for (int e = 0; e < 8; ++e) {
        const float u = to_float(x.v[e]), v = to_float(second.v[e]);
        x.v[e] = to_bf16(K == Kind::gated ? u / (1.0F + __expf(-u)) * v : u + v);
      }
    }
    if (K == Kind::add_norm && blockIdx.x == 0) reinterpret_cast<Eight*>(p.sum)[i] = x;
    if constexpr (K == Kind::norm || K == Kind::add_norm) {
#pragma unroll
      for (int e = 0; e < 8; ++e) squares += to_float(x.v[e]) * to_float(x.v[e]);
    }
    to[i] = x;
  }
  if constexpr (K == Kind::norm || K == Kind::add_norm) {
    squares = warp_sum(squares);
    if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = squares;
    meet<Threads>(1);
    float sum = 0;
#pragma unroll
    for (int w = 0; w < Threads / 32; ++w) sum += parts[w];
    const float scale = rsqrtf(sum / static_cast<float>(a.in) + p.eps);
    for (int i = threadIdx.x; i < a.in / 8;
         i += Threads) {  // each thread its own elements: no barrier between
      const Eight w = *(reinterpret_cast<const Eight*>(p.weight) + i);
#pragma unroll
      for (int e = 0; e < 8; ++e) to[i].v[e] = to_bf16(to_float(to[i].v[e]) * scale * to_float(w.v[e]));
    }
  }
  meet<Threads>(1);
}

}  // namespace inferometer::cuda
#endif
