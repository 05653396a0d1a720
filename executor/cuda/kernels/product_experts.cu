#include "executor/cuda/kernels/experts.hpp"
#include "executor/cuda/kernels/flags.cuh"
#include "executor/cuda/kernels/wgmma_fp8.cuh"

namespace inferometer::cuda {
namespace {

/// Two warpgroups multiply, one warp loads.
constexpr int consumers = 256, threads = consumers + 32;

/// Tiles of Rows rows of W by N rows of x, both in boxes of 128 bytes along k. Tiles of 64 rows are a stream
/// of weights: the warpgroups take turns along k, and the first writes. Of 128 rows each has its half.
template <int Rows, int N>
struct Shape {
  static constexpr bool turns = Rows == 64;
  static constexpr int writers = 2 * Rows;
  static constexpr int boxes = Rows == 128 ? 1 : N <= 32 ? 4 : 2;
  static constexpr int columns = boxes * 64;  // in the maps' elements of two bytes
  static constexpr int stage_bytes = boxes * 128 * (Rows + N);
  // Even, so that a stage is always the same warpgroup's where they take turns: a barrier's phase can be
  // told from the one before it only, which nobody may miss.
  static constexpr int depth = 208 * 1024 / stage_bytes / 2 * 2;
};
template <int Rows, int N>
struct Stage {
  std::uint16_t w[Shape<Rows, N>::boxes][Rows * 64], x[Shape<Rows, N>::boxes][N * 64];
};
template <int Rows, int N>
struct Shared {
  Stage<Rows, N> stage[Shape<Rows, N>::depth];
  float sums[Shape<Rows, N>::turns ? N / 2 : 1][128];  ///< of the warpgroup that does not write
  std::uint64_t full[Shape<Rows, N>::depth], empty[Shape<Rows, N>::depth];
  int tiles[most_experts + 1];  ///< of x before each expert, and of all
};

#ifdef INFEROMETER_HOPPER
/// One warp: how many tiles of N rows the experts before each have.
template <int N>
__device__ void count_tiles(const ExpertProduct& a, int* tiles) {
  const int lane = threadIdx.x % 32;
  int sum = 0;
  for (int from = 0; from < a.experts; from += 32) {
    const int e = from + lane;
    const int rows = e < a.experts ? a.groups.offsets[e + 1] - a.groups.offsets[e] : 0;
    const int own = (rows + N - 1) / N;
    int up_to = own;
#pragma unroll
    for (int d = 1; d < 32; d *= 2) {
      const int other = __shfl_up_sync(~0U, up_to, d);
      if (lane >= d) up_to += other;
    }
    if (e < a.experts) tiles[e] = sum + up_to - own;
    sum += __shfl_sync(~0U, up_to, 31);
  }
  if (lane == 0) tiles[a.experts] = sum;
}

/// Rows [w, ...) of the map of W times rows [x, ...) of x.
struct Tile {
  int expert, w_row, first, x_row;  ///< first: row of W within the expert
};

/// All tiles' steps along k, laid one after another, are dealt out evenly to the blocks that get any. The
/// tiles of x that share rows of W are neighbours.
template <int Rows, int N>
struct Work {
  const int* tiles;
  int experts, out, steps, row_tiles, blocks;
  std::int64_t units;
  __device__ __forceinline__ Work(const ExpertProduct& a, const int* before)
      : tiles(before),
        experts(a.experts),
        out(a.out),
        steps(((a.fp8 ? a.in / 2 : a.in) + Shape<Rows, N>::columns - 1) / Shape<Rows, N>::columns),
        row_tiles((a.out + Rows - 1) / Rows),
        units(static_cast<std::int64_t>(before[a.experts]) * row_tiles * steps) {
    blocks = static_cast<int>(units < gridDim.x ? units : gridDim.x);
  }
  __device__ __forceinline__ std::int64_t from(std::int64_t block) const { return units * block / blocks; }
  /// `known`: an expert that is not behind the tile's.
  __device__ __forceinline__ Tile tile(std::int64_t index, int known) const {
    int e = known;
    while (static_cast<std::int64_t>(tiles[e + 1]) * row_tiles <= index) ++e;
    const int within = static_cast<int>(index - static_cast<std::int64_t>(tiles[e]) * row_tiles);
    const int each = tiles[e + 1] - tiles[e], first = within / each * Rows;
    return {.expert = e, .w_row = e * out + first, .first = first, .x_row = within % each * N};
  }
};

/// One thread keeps the stages full.
template <int Rows, int N>
__device__ void load_stages(Shared<Rows, N>& shared, const ExpertTiles& maps, const ExpertProduct& a,
                            const Work<Rows, N>& work, std::int64_t from, std::int64_t to) {
  using S = Shape<Rows, N>;
  Tile tile{};
  int x_row = 0;
  for (std::int64_t u = from; u < to; ++u) {
    const int step = static_cast<int>(u % work.steps);
    if (u == from || step == 0) {
      tile = work.tile(u / work.steps, tile.expert);
      x_row = a.groups.offsets[tile.expert] + tile.x_row;
    }
    const std::int64_t turn = (u - from) / S::depth;
    const int s = static_cast<int>((u - from) % S::depth);
    if (turn > 0) wait(shared.empty + s, static_cast<unsigned>((turn - 1) % 2));
    expect_bytes(shared.full + s, S::stage_bytes);
#pragma unroll
    for (int b = 0; b < S::boxes; ++b) {
      const int column = step * S::columns + b * 64;
#pragma unroll
      for (int r = 0; r < Rows; r += expert_box_rows)
        copy_box(shared.stage[s].w[b] + r * 64, &maps.w, column, tile.w_row + r, shared.full + s);
      copy_box(shared.stage[s].x[b], &maps.x, column, x_row, shared.full + s);
    }
  }
}

/// Adds what the blocks behind this one found of the tile that ends at `tile_end`.
template <int Rows, int N>
__device__ void add_others(float (&d)[N / 2], const ExpertTiles& maps, const Work<Rows, N>& work,
                           std::int64_t tile_end) {
  constexpr int writers = Shape<Rows, N>::writers;
  const int block = static_cast<int>(blockIdx.x);
  int others = 0;
  while (block + 1 + others < work.blocks && work.from(block + 1 + others) < tile_end) ++others;
  std::uint32_t* flags = maps.flags + block + 1;
  for (int i = threadIdx.x; i < others; i += writers) wait_for(flags + i);
  meet<writers>(2);
  for (int i = 0; i < others; ++i) {
    const float* from = maps.partial + static_cast<std::int64_t>(block + 1 + i) * writers * (N / 2) +
                        static_cast<int>(threadIdx.x);
#pragma unroll
    for (int j = 0; j < N / 2; ++j) d[j] += __ldcg(from + j * writers);
  }
  meet<writers>(2);
  for (int i = threadIdx.x; i < others; i += writers) flags[i] = 0;
}

/// Rows beyond the expert's are other experts', and are not stored.
template <int N>
__device__ void store_tile(const float (&d)[N / 2], const ExpertProduct& a, const Tile& tile) {
  const int lane = threadIdx.x % 32;
  const int row = tile.first + static_cast<int>(threadIdx.x) / 32 * 16 + lane / 4;
  const int start = a.groups.offsets[tile.expert] + tile.x_row;
  const int count = a.groups.offsets[tile.expert + 1] - start;
  const float scale =
      (a.x_scale != nullptr ? *a.x_scale : 1.0F) * (a.w_scales != nullptr ? a.w_scales[tile.expert] : 1.0F);
  float bias[2] = {};
#pragma unroll
  for (int h = 0; h < 2; ++h) {
    if (a.bias != nullptr && row + h * 8 < a.out)
      bias[h] = a.bias[static_cast<std::int64_t>(tile.expert) * a.out + row + h * 8];
  }
#pragma unroll
  for (int n = 0; n < N / 4; ++n) {  // a token of the thread's
    const int token = n / 2 * 8 + lane % 4 * 2 + n % 2;
    if (token >= count) continue;
    Bf16* to = a.y.data + a.groups.pairs[start + token] * a.y.stride;
#pragma unroll
    for (int h = 0; h < 2; ++h) {
      if (row + h * 8 < a.out) to[row + h * 8] = to_bf16(fmaf(d[n / 2 * 4 + h * 2 + n % 2], scale, bias[h]));
    }
  }
}

/// d += the products of a stage, of the 64 rows of W from `row` on.
template <bool Fp8, int Rows, int N>
__device__ __forceinline__ void multiply_stage(float (&d)[N / 2], const Stage<Rows, N>& stage, int row) {
  products_begin();
#pragma unroll
  for (int b = 0; b < Shape<Rows, N>::boxes; ++b) {
    const std::uint64_t w = tile_descriptor(stage.w[b] + row * 64), x = tile_descriptor(stage.x[b]);
#pragma unroll
    for (int k = 0; k < 4; ++k) {
      if constexpr (Fp8) {
        multiply_fp8_tile<N>(d, w + 2 * k, x + 2 * k, 1);
      } else {
        multiply_tile<N>(d, w + 2 * k, x + 2 * k, 1);
      }
    }
  }
  products_end();
}
#endif

template <bool Fp8, int Rows, int N>
__global__ void __launch_bounds__(threads, 1)
    experts_product(const __grid_constant__ ExpertTiles maps, ExpertProduct a) {
#ifdef INFEROMETER_HOPPER
  using S = Shape<Rows, N>;
  extern __shared__ unsigned char memory[];
  auto& shared =
      *reinterpret_cast<Shared<Rows, N>*>((reinterpret_cast<std::uintptr_t>(memory) + 1023) / 1024 * 1024);
  allow_next();
  if (threadIdx.x == 0) {
    for (int s = 0; s < S::depth; ++s) {
      init_barrier(shared.full + s, 1);
      init_barrier(shared.empty + s, S::turns ? 4 : 8);  // warps that read a stage
    }
    publish_barriers();
  }
  wait_for_earlier();
  if (threadIdx.x >= consumers) count_tiles<N>(a, shared.tiles);
  __syncthreads();
  const Work<Rows, N> work(a, shared.tiles);
  const auto block = static_cast<int>(blockIdx.x);
  if (block >= work.blocks) return;
  const std::int64_t begin = work.from(block), end = work.from(block + 1);
  if (threadIdx.x >= consumers) {
    if (threadIdx.x == consumers) load_stages<Rows, N>(shared, maps, a, work, begin, end);
    return;
  }
  const int group = threadIdx.x / 128, in_group = threadIdx.x % 128;
  Tile tile{};
  for (std::int64_t at = begin; at < end;) {
    const std::int64_t index = at / work.steps, tile_end = (index + 1) * work.steps;
    const std::int64_t from = at, to = tile_end < end ? tile_end : end;
    tile = work.tile(index, tile.expert);
    float d[N / 2] = {};
    for (; at < to; ++at) {
      const int s = static_cast<int>((at - begin) % S::depth);
      if (S::turns && (at - begin) % 2 != group) continue;
      wait(shared.full + s, static_cast<unsigned>((at - begin) / S::depth % 2));
      multiply_stage<Fp8, Rows, N>(d, shared.stage[s], S::turns ? 0 : group * 64);
      if (threadIdx.x % 32 == 0) arrive(shared.empty + s);
    }
    if constexpr (S::turns) {
      if (group == 1) {
#pragma unroll
        for (int i = 0; i < N / 2; ++i) shared.sums[i][in_group] = d[i];
      }
      meet<consumers>(1);
      if (group == 0) {
#pragma unroll
        for (int i = 0; i < N / 2; ++i) d[i] += shared.sums[i][in_group];
      }
      meet<consumers>(1);
      if (group == 1) continue;
    }
    if (from != index * work.steps) {  // a block before this one began the tile, and will add
      float* partial = maps.partial + static_cast<std::int64_t>(block) * S::writers * (N / 2) +
                       static_cast<int>(threadIdx.x);
#pragma unroll
      for (int i = 0; i < N / 2; ++i) __stcg(partial + i * S::writers, d[i]);
      __threadfence();
      meet<S::writers>(2);
      if (threadIdx.x == 0) raise(maps.flags + block);
      continue;
    }
    if (to < tile_end) add_others<Rows, N>(d, maps, work, tile_end);
    store_tile<N>(d, a, tile);
  }
#endif
}

template <int Rows, int N>
void start(const ExpertProduct& a, const ExpertTiles& tiles, const Queue& queue) {
  launch(queue, a.fp8 ? &experts_product<true, Rows, N> : &experts_product<false, Rows, N>,
         static_cast<unsigned>(queue.processors), threads, sizeof(Shared<Rows, N>) + 1024, tiles, a);
}

}  // namespace

void product_experts(const ExpertProduct& a, const ExpertTiles& tiles, const Queue& queue) {
  switch (a.tile) {
    case 8:
      return start<64, 8>(a, tiles, queue);
    case 16:
      return start<64, 16>(a, tiles, queue);
    case 32:
      return start<64, 32>(a, tiles, queue);
    case 64:
      return start<64, 64>(a, tiles, queue);
    default:
      return start<128, most_expert_tile>(a, tiles, queue);
  }
}

}  // namespace inferometer::cuda
