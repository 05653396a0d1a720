#include "executor/cuda/kernels/first_fill.cuh"
#include "executor/cuda/kernels/fp8_pair.cuh"
#include "executor/cuda/kernels/one_token_row.cuh"
#include "executor/cuda/kernels/one_token_weights.cuh"
#include "executor/cuda/kernels/products_fp8.hpp"

namespace inferometer::cuda {
namespace {

/// Twice as many warps as rows in bf16 have: they wait for matrix units too.
constexpr int warps = 16, threads = warps * 32, most_stages = 8;
constexpr int most_shared = 227 * 1024 - 1024, barriers = warps * most_stages * 8;

/// How shared memory is dealt out: x, for norms the row in bf16 first, rings of all warps, barriers. [bytes]
struct Layout {
  int x = 0, row = 0;
  int chunk = 0, pieces = 0, stages = 0;  ///< chunk: of one of the two rows

  __host__ __device__ constexpr int ring() const { return 2 * chunk * stages; }
};
constexpr Layout layout_of(std::int64_t in, bool norm) {
  Layout l{.x = whole_fp8_blocks(in), .row = norm ? static_cast<int>(2 * in) : 0};
  const int room = (most_shared - barriers - l.x - l.row) / warps;
  l.chunk = fp8_chunk(l.x, room);
  l.pieces = (l.x + l.chunk - 1) / l.chunk;
  const int fit = room / (2 * l.chunk);
  l.stages = fit < most_stages ? fit : most_stages;
  return l;
}

using Kind = Prologue::Kind;

template <Kind K, bool Quantize>
__global__ void __launch_bounds__(threads, 1)
    one_token(Fp8Product a, const std::uint16_t* row, Prologue prologue, Epilogue epilogue, Layout layout) {
#ifdef INFEROMETER_HOPPER
  extern __shared__ __align__(128) unsigned char memory[];
  const int warp = warp_index(), lane = static_cast<int>(threadIdx.x) % 32;
  unsigned char* x = memory;
  unsigned char* rings = x + layout.x + layout.row;
  unsigned char* stage = rings + warp * layout.ring();
  auto* full = reinterpret_cast<std::uint64_t*>(rings + warps * layout.ring()) + warp * most_stages;
  // Pairs of rows; a gate's and up's where gated.
  const bool gated = epilogue.gated;
  const int pairs = gated ? a.out : (a.out + 1) / 2;
  const Share own(pairs, warp, warps);
  Walk ahead;
  const std::uint64_t policy = read_once();
  const auto load = [&] {
    if (ahead.unit >= own.count) return false;
    const int at = ahead.piece * layout.chunk, pair = own.of(ahead.unit);
    const auto bytes = static_cast<unsigned>(min(layout.chunk, a.in - at));
    std::uint64_t* barrier = full + ahead.stage;
    unsigned char* to = stage + ahead.stage * 2 * layout.chunk;
    const std::uint8_t* from = a.w + static_cast<std::int64_t>(gated ? pair : 2 * pair) * a.in + at;
    const bool both = gated || 2 * pair + 1 < a.out;
    if (elect()) {
      expect_bytes(barrier, both ? 2 * bytes : bytes);
      copy_bulk(to, from, bytes, barrier, policy);
      if (both)
        copy_bulk(to + layout.chunk, from + (gated ? static_cast<std::int64_t>(a.out) : 1) * a.in, bytes,
                  barrier, policy);
    }
    __syncwarp();
    ahead.next(layout.stages, layout.pieces);
    return true;
  };
  if (a.in % fp8_block != 0) {  // what is multiplied by the zeros behind x must be finite
#pragma unroll 1
    for (int i = lane; i < layout.ring() / 16; i += 32) reinterpret_cast<uint4*>(stage)[i] = {};
    publish_to_copies();
    __syncwarp();
  }
  __shared__ std::uint64_t over;
  FirstFill<warps> fill{&over, full, layout.stages};
  fill.begin(load);
  fetch_weight<K, threads>(prologue, a.in);
  fill.wait(load);
  const auto asked = [&] { fill.end(load); };
  // All on their way before one is used.
  const float x_scale = *a.x_scale, w_scale = *a.w_scale;
  const float y_scale = epilogue.y_scale != nullptr ? *epilogue.y_scale : 0;
  Residuals<2> residuals;
  residuals.fetch(epilogue, own, 0, a.out);
  if constexpr (Quantize) {
    __shared__ float parts[warps];
    const float factor = factor_of(&x_scale);
    make_row<K, warps>(row, a.in, prologue, reinterpret_cast<Eight*>(x + layout.x), parts, asked,
                       [&](int i, const Eight& v) { place_fp8(x, i, to_fp8(v, factor)); });
  } else {
    constexpr int most_ahead = 8;
#pragma unroll 1
    for (int all = 0; all < a.in / 8; all += threads * most_ahead) {
      uint2 some[most_ahead];
#pragma unroll
      for (int n = 0; n < most_ahead; ++n) {
        const int i = all + n * threads + static_cast<int>(threadIdx.x);
        if (i < a.in / 8) some[n] = __ldcg(reinterpret_cast<const uint2*>(a.x) + i);
      }
      if (all + threads * most_ahead >= a.in / 8) asked();
#pragma unroll
      for (int n = 0; n < most_ahead; ++n) {
        const int i = all + n * threads + static_cast<int>(threadIdx.x);
        if (i < a.in / 8) place_fp8(x, i, some[n]);
      }
    }
  }
#pragma unroll 1
  for (int i = a.in / 8 + static_cast<int>(threadIdx.x); i < layout.x / 8; i += threads) place_fp8(x, i, {});
  publish_to_copies();
  __syncthreads();
  const std::uint64_t columns = column_descriptor(x);
  const float y_factor = factor_of(&y_scale);
  // All warps of a warpgroup multiply as often as its first, which has no fewer pairs.
  const int units = Share(pairs, warp / 4 * 4, warps).count;
  Fp8Pair sums;
  for (Walk here; here.unit < units; here.next(layout.stages, layout.pieces)) {
    const bool mine = here.unit < own.count;
    if (mine) wait(full + here.stage, here.phase);
    const int at = here.piece * layout.chunk;
    const unsigned char* w = stage + here.stage * 2 * layout.chunk + lane * 16;
    sums.add<4>(reinterpret_cast<const uint4*>(w), layout.chunk / 16,
                columns + static_cast<unsigned>(at / 16), min(layout.chunk, layout.x - at) / fp8_block);
    __syncwarp();
    load();
    if (here.piece + 1 < layout.pieces) continue;
    const float scale = x_scale * w_scale;
    const float2 sum = sums.take();
    const float2 residual{residuals.of(here.unit, 0), residuals.of(here.unit, 1)};
    if (here.unit % 32 == 31) residuals.fetch(epilogue, own, here.unit + 1, a.out);
    if (lane == 0 && mine) {
      const int pair = own.of(here.unit);
      if (gated) {
        store_gated(a, epilogue, pair, sum.x * scale, sum.y * scale, y_factor);
      } else {
        store_sum(a, 2 * pair, sum.x * scale + residual.x);
        if (2 * pair + 1 < a.out) store_sum(a, 2 * pair + 1, sum.y * scale + residual.y);
      }
    }
  }
#endif
}

template <Kind K, bool Quantize>
void start(const Fp8Product& a, const std::uint16_t* row, const Prologue& p, const Epilogue& epilogue,
           const Queue& queue) {
  const Layout layout = layout_of(a.in, is_norm(K));
  const auto shared = static_cast<std::size_t>(layout.x + layout.row + warps * layout.ring() + barriers);
  launch(queue, &one_token<K, Quantize>, static_cast<unsigned>(queue.processors), threads, shared, a, row, p,
         epilogue, layout);
}

}  // namespace

bool one_token_fp8_fits(std::int64_t in) { return layout_of(in, true).stages >= 2; }

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
