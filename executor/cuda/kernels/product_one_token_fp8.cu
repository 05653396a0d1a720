#include "executor/cuda/kernels/fp8.cuh"
#include "executor/cuda/kernels/hopper.cuh"
#include "executor/cuda/kernels/one_token_row.cuh"
#include "executor/cuda/kernels/products_fp8.hpp"

namespace inferometer::cuda {
namespace {

constexpr int warps = 8, threads = warps * 32, most_stages = 8;
/// Bytes of a copy, at most; and that each warp has on their way, where the row leaves room for them.
constexpr int most_chunk = 4096, most_ring = 24576;
constexpr int most_shared = 227 * 1024 - 1024, barriers = warps * most_stages * 8;

/// How shared memory is dealt out: rings of all warps, the row in e4m3, the row in bf16, barriers.
struct Layout {
  int ring = 0;  ///< bytes of a warp
  int chunk = 0, pieces = 0, stages = 0;
};
constexpr int free_for_ring(std::int64_t in) {
  return static_cast<int>((most_shared - barriers - 3 * in) / warps / 128 * 128);
}
Layout layout_of(int in) {
  Layout l{.ring = free_for_ring(in) < most_ring ? free_for_ring(in) : most_ring};
  l.pieces = (in + most_chunk - 1) / most_chunk;
  l.chunk = (in / 16 + l.pieces - 1) / l.pieces * 16;
  l.stages = l.ring / l.chunk < most_stages ? l.ring / l.chunk : most_stages;
  return l;
}

using Kind = Prologue::Kind;

#ifdef INFEROMETER_HOPPER
/// d += a bᵀ where a is [16, 32] of which rows 8 and on are zero, b [8, 32]. Each lane gives 8 bytes of both,
/// of one row of a and the same of b: sums of their products are on the diagonal of d, wherever along k the
/// bytes are from. So 32 lanes multiply 256 bytes of one row by 256 of another.
__device__ __forceinline__ void multiply_rows(float (&d)[4], unsigned a0, unsigned a1, unsigned b0,
                                              unsigned b1) {
  asm volatile(
      "mma.sync.aligned.m16n8k32.row.col.f32.e4m3.e4m3.f32 {%0, %1, %2, %3}, {%4, %5, %6, %5}, {%7, %8}, "
      "{%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a0), "r"(0), "r"(a1), "r"(b0), "r"(b1));
}
/// What the lane holds of the diagonal: element (lane / 4, lane / 4) is with lane % 4 = lane / 8.
__device__ __forceinline__ float diagonal(const float (&d)[4], int lane) {
  if (lane % 4 != lane / 8) return 0;
  return lane / 4 % 2 == 0 ? d[0] : d[1];
}
#endif

template <Kind K, bool Quantize>
__global__ void __launch_bounds__(threads, 1)
    one_token(Fp8Product a, const std::uint16_t* row, Prologue prologue, Layout layout) {
#ifdef INFEROMETER_HOPPER
  extern __shared__ __align__(128) unsigned char memory[];
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  unsigned char* stage = memory + warp * layout.ring;
  auto* x = reinterpret_cast<uint4*>(memory + warps * layout.ring);
  auto* scratch = reinterpret_cast<Eight*>(reinterpret_cast<unsigned char*>(x) + a.in);
  auto* full = reinterpret_cast<std::uint64_t*>(reinterpret_cast<unsigned char*>(scratch) + 2 * a.in) +
               warp * most_stages;
  const int first = static_cast<int>(blockIdx.x) * warps + warp, step = static_cast<int>(gridDim.x) * warps;
  const int rows = first < a.out ? (a.out - first + step - 1) / step : 0, total = rows * layout.pieces;
  const auto load = [&](int c) {
    const int of = c / layout.pieces, at = (c - of * layout.pieces) * layout.chunk, s = c % layout.stages;
    const auto bytes = static_cast<unsigned>(min(layout.chunk, a.in - at));
    expect_bytes(full + s, bytes);
    copy_bulk(stage + s * layout.chunk, a.w + static_cast<std::int64_t>(first + of * step) * a.in + at, bytes,
              full + s);
  };
  if (lane == 0) {
    for (int s = 0; s < layout.stages; ++s) init_barrier(full + s, 1);
    publish_barriers();
    for (int c = 0; c < layout.stages && c < total; ++c) load(c);
  }
  take_turn();
  if constexpr (Quantize) {
    __shared__ float parts[warps];
    const float factor = factor_of(a.x_scale);
    make_row<K, warps>(row, a.in, prologue, scratch, parts,
                       [&](int i, const Eight& v) { reinterpret_cast<uint2*>(x)[i] = to_fp8(v, factor); });
  } else {
    for (int i = threadIdx.x; i < a.in / 16; i += threads)
      x[i] = __ldcg(reinterpret_cast<const uint4*>(a.x) + i);
  }
  __syncthreads();
  const float scale = *a.x_scale * *a.w_scale;
  float even[4] = {}, odd[4] = {};
  for (int c = 0; c < total; ++c) {
    const int s = c % layout.stages, of = c / layout.pieces, piece = c - of * layout.pieces;
    const int at = piece * layout.chunk, vectors = min(layout.chunk, a.in - at) / 16;
    wait(full + s, c / layout.stages % 2);
    const auto* w = reinterpret_cast<const uint4*>(stage + s * layout.chunk);
#pragma unroll 4
    for (int from = 0; from < vectors; from += 32) {
      const int i = from + lane;
      const uint4 u = i < vectors ? w[i] : uint4{}, v = i < vectors ? x[at / 16 + i] : uint4{};
      multiply_rows(even, u.x, u.y, v.x, v.y);
      multiply_rows(odd, u.z, u.w, v.z, v.w);
    }
    __syncwarp();
    if (lane == 0 && c + layout.stages < total) load(c + layout.stages);
    if (piece + 1 < layout.pieces) continue;
    const float sum = warp_sum(diagonal(even, lane) + diagonal(odd, lane)) * scale;
    const int out = first + of * step;
    if (lane == 0 && a.y_f32) static_cast<float*>(a.y)[out] = sum;
    if (lane == 0 && !a.y_f32) static_cast<Bf16*>(a.y)[out] = to_bf16(sum);
#pragma unroll
    for (int i = 0; i < 4; ++i) even[i] = odd[i] = 0;
  }
#endif
}

template <Kind K, bool Quantize>
void start(const Fp8Product& a, const std::uint16_t* row, const Prologue& p, const Queue& queue) {
  const Layout layout = layout_of(a.in);
  const auto shared = static_cast<std::size_t>(warps * layout.ring + 3 * a.in + barriers);
  launch(queue, &one_token<K, Quantize>, static_cast<unsigned>(queue.processors), threads, shared, a, row, p,
         layout);
}

}  // namespace

bool one_token_fp8_fits(std::int64_t in) { return free_for_ring(in) >= 2 * most_chunk; }

void product_one_token_fp8(const Fp8Product& a, const Queue& queue) {
  start<Kind::none, false>(a, nullptr, {}, queue);
}
void product_one_token_fp8(const Fp8Product& a, const std::uint16_t* row, const Prologue& p,
                           const Queue& queue) {
  switch (p.kind) {
    case Kind::none:
      return start<Kind::none, true>(a, row, p, queue);
    case Kind::norm:
      return start<Kind::norm, true>(a, row, p, queue);
    case Kind::add_norm:
      return start<Kind::add_norm, true>(a, row, p, queue);
    case Kind::gated:
      return start<Kind::gated, true>(a, row, p, queue);
  }
}

}  // namespace inferometer::cuda
