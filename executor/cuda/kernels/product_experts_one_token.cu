#include "executor/cuda/kernels/expert_chunks.cuh"
#include "executor/cuda/kernels/flags.cuh"
#include "executor/cuda/kernels/fp8.cuh"
#include "executor/cuda/kernels/fp8_pair.cuh"

namespace inferometer::cuda {
namespace {

constexpr int warps = 8, threads = warps * 32, most_stages = 8;
/// Bytes of a copy in bf16, at most: whole turns of a warp.
constexpr int most_bf16_chunk = 4 * 32 * 16;
constexpr int barriers = warps * most_stages * 8, most_shared = 226 * 1024 - 1024;

ExpertLayout layout_of(std::int64_t out, std::int64_t width, std::int64_t top_k, bool fp8) {
  const int element = fp8 ? 1 : 2;
  ExpertLayout l{.gate_up = static_cast<int>(out) * element, .down = static_cast<int>(width) * element};
  l.x = fp8 ? whole_fp8_blocks(l.gate_up) : l.gate_up;
  l.h = fp8 ? whole_fp8_blocks(l.down) : l.down;
  const int all_h = static_cast<int>(top_k) * l.h, longest = l.x > l.h ? l.x : l.h;
  l.values = l.x > all_h ? l.x : all_h;
  const int room = (most_shared - barriers - l.values) / warps;
  l.chunk = fp8 ? fp8_chunk(longest, room) : longest < most_bf16_chunk ? longest : most_bf16_chunk;
  const int fit = room / (2 * l.chunk);
  l.stages = fit < most_stages ? fit : most_stages;
  return l;
}

#ifdef INFEROMETER_HOPPER
/// What is multiplied, in shared memory, and the next two rows of weights.
template <bool Fp8>
struct Multiplied {
  unsigned char* values;

  /// By all threads of a block; up to most_ahead loads of a thread are on their way before it uses any.
  /// from: rows of `bytes`   to: whole blocks each, zeros behind
  __device__ __forceinline__ void stage(const void* from, int rows, int bytes, int whole) const {
    constexpr int most_ahead = 16;
    using Piece = std::conditional_t<Fp8, uint2, uint4>;
    const int pieces = bytes / static_cast<int>(sizeof(Piece)), all = rows * pieces;
    for (int first = threadIdx.x; first < all; first += threads * most_ahead) {
      Piece some[most_ahead];
#pragma unroll
      for (int n = 0; n < most_ahead; ++n) {
        if (first + n * threads < all)
          some[n] = __ldcg(static_cast<const Piece*>(from) + first + n * threads);
      }
#pragma unroll
      for (int n = 0; n < most_ahead; ++n) {
        const int i = first + n * threads;
        if (i >= all) break;
        if constexpr (Fp8) {
          place_fp8(values + i / pieces * whole, i % pieces, some[n]);
        } else {
          reinterpret_cast<uint4*>(values)[i] = some[n];
        }
      }
    }
    if constexpr (Fp8) {
      const int behind = (whole - bytes) / 8;
      for (int i = threadIdx.x; i < rows * behind; i += threads)
        place_fp8(values + i / behind * whole, pieces + i % behind, {});
      publish_to_copies();
    }
  }
  /// Of both rows and the row of values at `at`, for all lanes.   Fp8: called by all warps of a warpgroup
  __device__ __forceinline__ float2 dots(ExpertRing& ring, bool mine, int at, int row_bytes,
                                         ExpertChunks& chunks) const {
    if constexpr (Fp8) {
      Fp8Pair sums;
      const std::uint64_t columns = column_descriptor(values + at);
      ring.take(mine, row_bytes, chunks, [&](const uint4* w, int next, int from, int bytes) {
        sums.add<8>(w, next, columns + static_cast<unsigned>(from / 16), bytes / fp8_block);
      });
      return sums.take();
    } else {
      float2 sums{};
      const auto* x = reinterpret_cast<const uint4*>(values + at) + threadIdx.x % 32;
      ring.take(mine, row_bytes, chunks, [&](const uint4* w, int next, int from, int bytes) {
        const int left = bytes / 16 - static_cast<int>(threadIdx.x) % 32;
#pragma unroll 4
        for (int i = 0; i < left; i += 32) {
          const uint4 v = x[from / 16 + i];
          sums.x = dot(w[i], v, sums.x);
          sums.y = dot(w[i + next], v, sums.y);
        }
      });
      return {warp_sum(sums.x), warp_sum(sums.y)};
    }
  }
};
#endif

template <bool Fp8>
__global__ void __launch_bounds__(threads, 1) experts_one_token(const __grid_constant__ OneTokenExperts a,
                                                                const __grid_constant__ ExpertLayout layout) {
#ifdef INFEROMETER_HOPPER
  extern __shared__ __align__(128) unsigned char memory[];
  __shared__ int ids[most_chosen];
  __shared__ float weights[most_chosen], gate_up_scale[most_chosen], down_scale[most_chosen];
  const int warp = warp_index(), lane = static_cast<int>(threadIdx.x) % 32;
  const Multiplied<Fp8> multiplied{memory};
  unsigned char* rings = memory + layout.values;
  ExpertRing ring{
      .stage = rings + warp * layout.ring(),
      .full = reinterpret_cast<std::uint64_t*>(rings + warps * layout.ring()) + warp * most_stages,
      .chunk = layout.chunk,
      .stages = layout.stages,
      .policy = read_once()};
  allow_next();
  if (Fp8 && (layout.x != layout.gate_up || layout.h != layout.down)) {
    // What is multiplied by the zeros behind a row must be finite.
    for (int i = lane; i < layout.ring() / 16; i += 32) reinterpret_cast<uint4*>(ring.stage)[i] = {};
    publish_to_copies();
    __syncwarp();
  }
  if (elect()) {
#pragma unroll 1
    for (int s = 0; s < layout.stages; ++s) init_barrier(ring.full + s, 1);
    publish_barriers();
  }
  wait_for_earlier();
  const bool chosen = threadIdx.x < a.top_k;
  const int id = chosen ? __ldcg(a.ids + threadIdx.x) : 0;
  const float weight = chosen ? __ldcg(a.weights + threadIdx.x) : 0;
  multiplied.stage(a.x, 1, layout.gate_up, layout.x);
  if (chosen) {
    ids[threadIdx.x] = id;
    weights[threadIdx.x] = weight;
  }
  __syncthreads();
  // Neighbours along the rows of weights are in different blocks, so that the last few keep all busy.
  const int first = warp * static_cast<int>(gridDim.x) + static_cast<int>(blockIdx.x),
            step = warps * static_cast<int>(gridDim.x);
  ExpertChunks chunks(a, layout, ids, first, step);
#pragma unroll 1
  for (int s = 0; s < layout.stages; ++s) ring.load(s, chunks);
  if (chosen) {
    gate_up_scale[threadIdx.x] = Fp8 ? *a.x_scale * a.gate_up_scales[id] : 1;
    down_scale[threadIdx.x] = Fp8 ? *a.h_scale * a.down_scales[id] : 1;
  }
  const float factor = Fp8 ? factor_of(a.h_scale) : 0;
  __syncthreads();
  // Where warps multiply together, as often as the first of them, which has no less to do.
  const int same = Fp8 ? (warp / 4 * 4 - warp) * static_cast<int>(gridDim.x) : 0;
  ExpertElement e;
  e.advance(first, a.width);
  for (int i = first + same; i < a.top_k * a.width; i += step, e.advance(step, a.width)) {
    const bool mine = e.choice < a.top_k;
    const float2 sums = multiplied.dots(ring, mine, 0, layout.x, chunks);
    if (!mine || lane != 0) continue;
    const float scale = gate_up_scale[e.choice];
    const Bf16 h = to_bf16(gate_silu(to_float(to_bf16(sums.x * scale)), to_float(to_bf16(sums.y * scale))));
    const int at = e.choice * a.width + e.at;
    if constexpr (Fp8) {
      static_cast<std::uint8_t*>(a.h)[at] = to_fp8(to_float(h) * factor);
    } else {
      static_cast<Bf16*>(a.h)[at] = h;
    }
  }
  // The ring is filled with rows of the second product by now: its stream goes on meanwhile.
  meet_grid(a.counters);
  multiplied.stage(a.h, a.top_k, layout.down, layout.h);
  __syncthreads();
  for (int pair = first; pair + same < a.out / 2; pair += step) {
    const bool mine = pair < a.out / 2;
    float2 y{};
    for (int k = 0; k < a.top_k; ++k) {
      const float2 sums = multiplied.dots(ring, mine, k * layout.h, layout.h, chunks);
      y.x = fmaf(weights[k], to_float(to_bf16(sums.x * down_scale[k])), y.x);
      y.y = fmaf(weights[k], to_float(to_bf16(sums.y * down_scale[k])), y.y);
    }
    if (mine && lane == 0) reinterpret_cast<unsigned*>(a.y)[pair] = pack(y.x, y.y);
  }
#endif
}

}  // namespace

bool one_token_experts_fit(std::int64_t out, std::int64_t width, std::int64_t top_k, bool fp8) {
  const std::int64_t whole = fp8 ? 16 : 8;
  if (out % whole != 0 || width % whole != 0 || 2 * (out + top_k * width) > most_shared) return false;
  return layout_of(out, width, top_k, fp8).stages >= 2;
}

void one_token_experts(const OneTokenExperts& a, const Queue& queue) {
  const ExpertLayout layout = layout_of(a.out, a.width, a.top_k, a.fp8);
  const auto shared = static_cast<std::size_t>(layout.values + warps * layout.ring() + barriers);
  launch(queue, a.fp8 ? &experts_one_token<true> : &experts_one_token<false>,
         static_cast<unsigned>(queue.processors), threads, shared, a, layout);
}

}  // namespace inferometer::cuda
