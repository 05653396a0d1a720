#include "executor/cuda/kernels/one_token_row.cuh"
#include "executor/cuda/kernels/one_token_weights.cuh"
#include "executor/cuda/kernels/products_fp8.hpp"
#include "executor/cuda/kernels/row_dot.cuh"

namespace inferometer::cuda {
namespace {

constexpr int warps = 8, threads = warps * 32, most_stages = 8;
/// Bytes of a copy, at most; and that each warp has on their way, where the row leaves room for them.
constexpr int most_chunk = 4096, most_ring = 24576;
constexpr int most_shared = 227 * 1024 - 1024, barriers = warps * most_stages * 8;

/// How shared memory is dealt out: rings of all warps, the row in f16 (for norms in bf16 first), barriers.
struct Layout {
  int ring = 0;  ///< bytes of a warp
  int chunk = 0, pieces = 0, stages = 0;
};
constexpr int free_for_ring(std::int64_t in) {
  return static_cast<int>((most_shared - barriers - 2 * in) / warps / 128 * 128);
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
using Dot = RowDot<true>;

__device__ __forceinline__ Eight widened(const Dot::Stored& values) {
  Eight wide;
  *reinterpret_cast<uint4*>(&wide) = Dot::widen(values);
  return wide;
}
#endif

template <Kind K, bool Quantize>
__global__ void __launch_bounds__(threads, 1)
    one_token(Fp8Product a, const std::uint16_t* row, Prologue prologue, Epilogue epilogue, Layout layout) {
#ifdef INFEROMETER_HOPPER
  extern __shared__ __align__(128) unsigned char memory[];
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  unsigned char* stage = memory + warp * layout.ring;
  auto* x = reinterpret_cast<Eight*>(memory + warps * layout.ring);
  auto* full = reinterpret_cast<std::uint64_t*>(x + a.in / 8) + warp * most_stages;
  OwnRows<Fp8Product> own{a, epilogue, static_cast<int>(blockIdx.x) * warps + warp,
                          static_cast<int>(gridDim.x) * warps};
  const int rows = own.count();
  Walk ahead;
  const auto load = [&] {
    const int at = ahead.piece * layout.chunk;
    const auto bytes = static_cast<unsigned>(min(layout.chunk, a.in - at));
    std::uint64_t* barrier = full + ahead.stage;
    expect_bytes(barrier, bytes);
    copy_bulk(stage + ahead.stage * layout.chunk, a.w + own.of_w(ahead.row) * a.in + at, bytes, barrier);
    ahead.next(layout.stages, layout.pieces);
  };
  if (lane == 0) {
    for (int s = 0; s < layout.stages; ++s) init_barrier(full + s, 1);
    publish_barriers();
    for (int s = 0; s < layout.stages && ahead.row < rows; ++s) load();
  }
  fetch_weight<K, threads>(prologue, a.in);
  take_turn();
  // All on their way before one is used.
  const float x_scale = *a.x_scale, w_scale = *a.w_scale;
  const float y_scale = epilogue.y_scale != nullptr ? *epilogue.y_scale : 0;
  if constexpr (Quantize) {
    __shared__ float parts[warps];
    make_row<K, warps>(row, a.in, prologue, x, parts,
                       [&](int i, const Eight& v) { x[i] = widened(to_fp8(v, factor_of(&x_scale))); });
  } else {
    for (int i = threadIdx.x; i < a.in / 8; i += threads)
      x[i] = widened(__ldcg(reinterpret_cast<const uint2*>(a.x) + i));
  }
  __syncthreads();
  Dot dot;
  for (Walk here; here.row < rows; here.next(layout.stages, layout.pieces)) {
    const int at = here.piece * layout.chunk, vectors = min(layout.chunk, a.in - at) / 8;
    wait(full + here.stage, here.phase);
    const auto* w = reinterpret_cast<const uint2*>(stage + here.stage * layout.chunk) + lane;
    const auto* v = reinterpret_cast<const uint4*>(x + at / 8) + lane;
    const int whole = vectors / 32 * 32;
#pragma unroll 8
    for (int i = 0; i < whole; i += 32) dot.add(w[i], v[i]);
    if (whole < vectors) {
      const bool mine = whole + lane < vectors;
      dot.add(mine ? w[whole] : uint2{}, mine ? v[whole] : uint4{});
    }
    __syncwarp();
    if (lane == 0 && ahead.row < rows) load();
    if (here.piece + 1 < layout.pieces) continue;
    const float sum = warp_sum(dot.of_lane(lane)) * (x_scale * w_scale);
    if (lane == 0) own.finish(here.row, sum, y_scale);
    dot = {};
  }
#endif
}

template <Kind K, bool Quantize>
void start(const Fp8Product& a, const std::uint16_t* row, const Prologue& p, const Epilogue& epilogue,
           const Queue& queue) {
  const Layout layout = layout_of(a.in);
  const auto shared = static_cast<std::size_t>(warps * layout.ring + 2 * a.in + barriers);
  launch(queue, &one_token<K, Quantize>, static_cast<unsigned>(queue.processors), threads, shared, a, row, p,
         epilogue, layout);
}

}  // namespace

bool one_token_fp8_fits(std::int64_t in) { return free_for_ring(in) >= 2 * most_chunk; }

void product_one_token_fp8(const Fp8Product& a, const Epilogue& epilogue, const Queue& queue) {
  start<Kind::none, false>(a, nullptr, {}, epilogue, queue);
}
void product_one_token_fp8(const Fp8Product& a, const std::uint16_t* row, const Prologue& p,
                           const Epilogue& epilogue, const Queue& queue) {
  switch (p.kind) {
    case Kind::none:
      return start<Kind::none, true>(a, row, p, epilogue, queue);
    case Kind::norm:
      return start<Kind::norm, true>(a, row, p, epilogue, queue);
    case Kind::add_norm:
      return start<Kind::add_norm, true>(a, row, p, epilogue, queue);
    case Kind::gated:
      return start<Kind::gated, true>(a, row, p, epilogue, queue);
  }
}

}  // namespace inferometer::cuda
