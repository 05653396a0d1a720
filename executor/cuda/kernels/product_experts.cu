#include "executor/cuda/kernels/expert_tiles.cuh"
#include "executor/cuda/kernels/experts.hpp"
#include "executor/cuda/kernels/flags.cuh"
#include "executor/cuda/kernels/wgmma_fp8.cuh"

namespace inferometer::cuda {
namespace {

/// Two warpgroups multiply, one warp loads.
constexpr int consumers = 256, threads = consumers + 32;

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
/// One thread keeps the stages full. Weights are fetched ahead of the kernel that makes x.
template <int Rows, int N>
__device__ void load_stages(Shared<Rows, N>& shared, const ExpertTiles& maps, const ExpertProduct& a,
                            const Work<Rows, N>& work, std::int64_t from, std::int64_t to) {
  using S = Shape<Rows, N>;
  Tile of_w{}, of_x{};
  const auto move_to = [&](Tile& tile, std::int64_t u) {
    if (u == from || u % work.steps == 0) tile = work.tile(u / work.steps, tile.expert);
  };
  const auto each_box = [&](std::int64_t u, auto copy) {
    const int s = static_cast<int>((u - from) % S::depth);
#pragma unroll
    for (int b = 0; b < S::boxes; ++b) copy(s, b, static_cast<int>(u % work.steps) * S::columns + b * 64);
  };
  // Runs behind the expert's last row are not fetched: what lies there instead is multiplied, and not stored.
  const auto load_w = [&](std::int64_t u) {
    move_to(of_w, u);
    const int rows =
        min(Rows, (a.out - of_w.first + expert_box_rows - 1) / expert_box_rows * expert_box_rows);
    expect_bytes(shared.full + (u - from) % S::depth, static_cast<unsigned>(S::boxes * 128 * (rows + N)));
    each_box(u, [&](int s, int b, int column) {
      for (int r = 0; r < rows; r += expert_box_rows)
        copy_box(shared.stage[s].w[b] + r * 64, &maps.w, column, of_w.w_row + r, shared.full + s);
    });
  };
  const auto load_x = [&](std::int64_t u) {
    move_to(of_x, u);
    const int row = __ldcg(a.groups.offsets + of_x.expert) + of_x.x_row;
    each_box(u, [&](int s, int b, int column) {
      copy_box(shared.stage[s].x[b], &maps.x, column, row, shared.full + s);
    });
  };
  const std::int64_t ahead = to < from + S::depth ? to : from + S::depth;
  for (std::int64_t u = from; u < ahead; ++u) load_w(u);
  wait_for_earlier();
  for (std::int64_t u = from; u < ahead; ++u) load_x(u);
  for (std::int64_t u = ahead; u < to; ++u) {
    wait(shared.empty + (u - from) % S::depth, static_cast<unsigned>(((u - from) / S::depth - 1) % 2));
    load_w(u);
    load_x(u);
  }
}

/// Where the thread leaves what `block` found of a tile that another began, elements `writers` apart.
template <int Rows, int N>
__device__ __forceinline__ float* partials(const ExpertTiles& maps, int block) {
  using S = Shape<Rows, N>;
  return maps.partial + static_cast<std::int64_t>(block) * S::writers * S::runs * (N / 2) +
         static_cast<int>(threadIdx.x);
}

/// Adds what the blocks behind this one found of the tile that ends at `tile_end`.
template <int Rows, int N>
__device__ void add_others(Sums<Rows, N>& d, const ExpertTiles& maps, const Work<Rows, N>& work,
                           std::int64_t tile_end) {
  using S = Shape<Rows, N>;
  constexpr int writers = S::writers;
  const int block = static_cast<int>(blockIdx.x);
  int others = 0;
  while (block + 1 + others < work.blocks && work.from(block + 1 + others) < tile_end) ++others;
  std::uint32_t* flags = maps.flags + block + 1;
  for (int i = threadIdx.x; i < others; i += writers) wait_for(flags + i);
  meet<writers>(2);
  for (int i = 0; i < others; ++i) {
    const float* from = partials<Rows, N>(maps, block + 1 + i);
#pragma unroll
    for (int j = 0; j < S::runs * N / 2; ++j) d[j / (N / 2)][j % (N / 2)] += __ldcg(from + j * writers);
  }
  meet<writers>(2);
  for (int i = threadIdx.x; i < others; i += writers) flags[i] = 0;
}

/// One run of 64 rows from `first` on. Rows beyond the expert's are other experts', and are not stored.
template <int N>
__device__ void store_run(const float (&d)[N / 2], const ExpertProduct& a, const Tile& tile, int first) {
  const int lane = threadIdx.x % 32;
  const int row = first + static_cast<int>(threadIdx.x) % 128 / 32 * 16 + lane / 4;
  const int start = __ldcg(a.groups.offsets + tile.expert) + tile.x_row;
  const int count = __ldcg(a.groups.offsets + tile.expert + 1) - start;
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
    const std::int64_t y_row = a.by_pair ? __ldcg(a.groups.pairs + start + token) : start + token;
    Bf16* to = a.y.data + y_row * a.y.stride;
#pragma unroll
    for (int h = 0; h < 2; ++h) {
      if (row + h * 8 < a.out) to[row + h * 8] = to_bf16(fmaf(d[n / 2 * 4 + h * 2 + n % 2], scale, bias[h]));
    }
  }
}

/// d += the products of a stage, of the warpgroup's runs.
template <bool Fp8, int Rows, int N>
__device__ __forceinline__ void multiply_stage(Sums<Rows, N>& d, const Stage<Rows, N>& stage, int group) {
  using S = Shape<Rows, N>;
  products_begin();
#pragma unroll
  for (int b = 0; b < S::boxes; ++b) {
    const std::uint64_t x = tile_descriptor(stage.x[b]);
#pragma unroll
    for (int r = 0; r < S::runs; ++r) {
      const std::uint64_t w = tile_descriptor(stage.w[b] + (S::turns ? 0 : group * S::runs + r) * 64 * 64);
#pragma unroll
      for (int k = 0; k < 4; ++k) {
        if constexpr (Fp8) {
          multiply_fp8_tile<N>(d[r], w + 2 * k, x + 2 * k, 1);
        } else {
          multiply_tile<N>(d[r], w + 2 * k, x + 2 * k, 1);
        }
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
  if (threadIdx.x == 0) {
    for (int s = 0; s < S::depth; ++s) {
      init_barrier(shared.full + s, 1);
      init_barrier(shared.empty + s, S::turns ? 4 : 8);  // warps that read a stage
    }
    publish_barriers();
  }
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
  wait_for_earlier();
  allow_next();
  const int group = threadIdx.x / 128, in_group = threadIdx.x % 128;
  Tile tile{};
  for (std::int64_t at = begin; at < end;) {
    const std::int64_t index = at / work.steps, tile_end = (index + 1) * work.steps;
    const std::int64_t from = at, to = tile_end < end ? tile_end : end;
    tile = work.tile(index, tile.expert);
    Sums<Rows, N> d = {};
    for (; at < to; ++at) {
      const int s = static_cast<int>((at - begin) % S::depth);
      if (S::turns && (at - begin) % 2 != group) continue;
      wait(shared.full + s, static_cast<unsigned>((at - begin) / S::depth % 2));
      multiply_stage<Fp8, Rows, N>(d, shared.stage[s], group);
      if (threadIdx.x % 32 == 0) arrive(shared.empty + s);
    }
    if constexpr (S::turns) {
      if (group == 1) {
#pragma unroll
        for (int i = 0; i < N / 2; ++i) shared.sums[i][in_group] = d[0][i];
      }
      meet<consumers>(1);
      if (group == 0) {
#pragma unroll
        for (int i = 0; i < N / 2; ++i) d[0][i] += shared.sums[i][in_group];
      }
      meet<consumers>(1);
      if (group == 1) continue;
    }
    if (from != index * work.steps) {  // a block before this one began the tile, and will add
      float* partial = partials<Rows, N>(maps, block);
#pragma unroll
      for (int i = 0; i < S::runs * N / 2; ++i) __stcg(partial + i * S::writers, d[i / (N / 2)][i % (N / 2)]);
      __threadfence();
      meet<S::writers>(2);
      if (threadIdx.x == 0) raise(maps.flags + block);
      continue;
    }
    if (to < tile_end) add_others<Rows, N>(d, maps, work, tile_end);
#pragma unroll
    for (int r = 0; r < S::runs; ++r) store_run<N>(d[r], a, tile, tile.first + (group * S::runs + r) * 64);
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
      return start<128, 16>(a, tiles, queue);
    case 32:
      return start<256, 32>(a, tiles, queue);
    case 64:
      return start<256, 64>(a, tiles, queue);
    default:
      return start<128, most_expert_tile>(a, tiles, queue);
  }
}

}  // namespace inferometer::cuda
