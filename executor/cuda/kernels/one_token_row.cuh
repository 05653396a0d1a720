#pragma once
#include "executor/cuda/kernels/device.cuh"
#include "executor/cuda/kernels/products.hpp"

// The row that products of one token multiply, made by each block for itself.
namespace inferometer::cuda {

__device__ __forceinline__ Eight load_eight(const std::uint16_t* from, int i) {
  Eight all;
  *reinterpret_cast<uint4*>(&all) = __ldcg(reinterpret_cast<const uint4*>(from) + i);
  return all;
}

/// SiLU(gate) * up, to the bit as the kernel of gated activations.
__device__ __forceinline__ float gate_silu(float gate, float up) {
  return gate / (1.0F + __expf(-gate)) * up;
}

/// The first Count threads of a block, which may have more.
template <int Count>
__device__ __forceinline__ void meet(int barrier) {
  asm volatile("bar.sync %0, %1;" ::"r"(barrier), "n"(Count) : "memory");
}

/// Calls keep(i, elements 8 i to 8 i + 8) for what the prologue makes of row x [in]. Rounded to bf16 wherever
/// kernels of their own would store it.
/// scratch [in]: in shared memory, for norms; keep may write to it   parts [Warps]: in shared memory
/// For the first Warps warps of a block, which meet at barrier 1; a thread keeps elements that it alone read,
/// so that no barrier is needed between.
template <Prologue::Kind K, int Warps, class Keep>
__device__ void make_row(const std::uint16_t* row, int in, const Prologue& p, Eight* scratch, float* parts,
                         Keep keep) {
  using Kind = Prologue::Kind;
  constexpr bool norm = K == Kind::norm || K == Kind::add_norm;
  float squares = 0;
  for (int i = threadIdx.x; i < in / 8; i += Warps * 32) {
    Eight x = load_eight(row, i);
    if constexpr (K == Kind::add_norm || K == Kind::gated) {
      const Eight second = load_eight(p.second, i);
#pragma unroll
      for (int e = 0; e < 8; ++e) {
        const float u = to_float(x.v[e]), v = to_float(second.v[e]);
        x.v[e] = to_bf16(K == Kind::gated ? gate_silu(u, v) : u + v);
      }
    }
    if (K == Kind::add_norm && blockIdx.x == 0) reinterpret_cast<Eight*>(p.sum)[i] = x;
    if constexpr (norm) {
#pragma unroll
      for (int e = 0; e < 8; ++e) squares += to_float(x.v[e]) * to_float(x.v[e]);
      scratch[i] = x;
    } else {
      keep(i, x);
    }
  }
  if constexpr (norm) {
    squares = warp_sum(squares);
    if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = squares;
    meet<Warps * 32>(1);
    float sum = 0;
#pragma unroll
    for (int w = 0; w < Warps; ++w) sum += parts[w];
    const float scale = rsqrtf(sum / static_cast<float>(in) + p.eps);
    for (int i = threadIdx.x; i < in / 8; i += Warps * 32) {
      Eight x = scratch[i];
      const Eight w = *(reinterpret_cast<const Eight*>(p.weight) + i);
#pragma unroll
      for (int e = 0; e < 8; ++e) x.v[e] = to_bf16(to_float(x.v[e]) * scale * to_float(w.v[e]));
      keep(i, x);
    }
  }
}

}  // namespace inferometer::cuda
