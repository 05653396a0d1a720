#include <type_traits>

#include "executor/cuda/kernels/flags.cuh"
#include "executor/cuda/kernels/products_fp8.hpp"
#include "executor/cuda/kernels/wgmma_fp8.cuh"

namespace inferometer::cuda {
namespace {

/// Two warpgroups that take turns along k, of which the first writes; one warp that loads.
constexpr int writers = 128, consumers = 2 * writers, threads = consumers + 32;

/// Columns of a box: rows of 128 bytes.
template <class Product>
inline constexpr int box_columns = std::is_same_v<Product, Fp8Product> ? 128 : 64;

/// What a stage holds of a tile: boxes along k, whatever their elements are.
template <int N>
struct Shape {
  static constexpr int boxes = N <= 32 ? 4 : 2;
  static constexpr int stage_bytes = boxes * 128 * (streamed_rows + N);
  // Even, so that a stage is always the same warpgroup's: a barrier's phase can be told from the one before
  // it only, which nobody may miss.
  static constexpr int depth = 208 * 1024 / stage_bytes / 2 * 2;
};
template <int N>
struct Stage {
  unsigned char w[Shape<N>::boxes][streamed_rows * 128], x[Shape<N>::boxes][N * 128];
};
template <int N>
struct Shared {
  Stage<N> stage[Shape<N>::depth];
  float sums[N / 2][writers];  ///< of the warpgroup that does not write
  std::uint64_t full[Shape<N>::depth], empty[Shape<N>::depth];
};

struct Range {
  std::int64_t from, to;
};

/// What each block does: steps [from, to) of all tiles' steps along k, laid one after another.
template <class Product, int N>
struct Work {
  static constexpr int columns = Shape<N>::boxes * box_columns<Product>;  ///< of a step along k
  std::int64_t steps, units;
  __device__ __forceinline__ explicit Work(const Product& a)
      : steps((a.in + columns - 1) / columns), units((a.out + streamed_rows - 1) / streamed_rows * steps) {}
  __device__ __forceinline__ Range of(std::int64_t block) const {
    return {units * block / gridDim.x, units * (block + 1) / gridDim.x};
  }
};

#ifdef INFEROMETER_HOPPER
/// One thread keeps the stages full. Weights are fetched ahead of the kernel that makes x.
template <class Product, int N>
__device__ void load_stages(Shared<N>& shared, const StreamedTiles& tiles, const Work<Product, N>& work,
                            Range mine, int tokens) {
  using S = Shape<N>;
  const auto each_box = [&](std::int64_t u, auto copy) {
    const int s = static_cast<int>((u - mine.from) % S::depth);
#pragma unroll
    for (int b = 0; b < S::boxes; ++b)
      copy(s, b, static_cast<int>(u % work.steps) * work.columns + b * box_columns<Product>);
  };
  const auto load_w = [&](std::int64_t u) {
    expect_bytes(shared.full + (u - mine.from) % S::depth, S::boxes * 128 * (streamed_rows + tokens));
    each_box(u, [&](int s, int b, int column) {
      copy_box(shared.stage[s].w[b], &tiles.w, column, static_cast<int>(u / work.steps) * streamed_rows,
               shared.full + s);
    });
  };
  const auto load_x = [&](std::int64_t u) {
    each_box(u, [&](int s, int b, int column) {
      copy_box(shared.stage[s].x[b], &tiles.x, column, 0, shared.full + s);
    });
  };
  const std::int64_t ahead = mine.to < mine.from + S::depth ? mine.to : mine.from + S::depth;
  for (std::int64_t u = mine.from; u < ahead; ++u) load_w(u);
  wait_for_earlier();
  for (std::int64_t u = mine.from; u < ahead; ++u) load_x(u);
  for (std::int64_t u = ahead; u < mine.to; ++u) {
    const std::int64_t turn = (u - mine.from) / S::depth;
    wait(shared.empty + (u - mine.from) % S::depth, static_cast<unsigned>((turn - 1) % 2));
    load_w(u);
    load_x(u);
  }
}

/// Adds what the blocks behind this one found of the tile that ends at `tile_end`.
template <class Product, int N>
__device__ void add_others(float (&d)[N / 2], const StreamedTiles& tiles, const Work<Product, N>& work,
                           std::int64_t tile_end) {
  int others = 0;
  while (blockIdx.x + 1 + others < gridDim.x && work.of(blockIdx.x + 1 + others).from < tile_end) ++others;
  std::uint32_t* flags = tiles.flags + blockIdx.x + 1;
  for (int i = threadIdx.x; i < others; i += writers) wait_for(flags + i);
  meet<writers>(2);
  for (int i = 0; i < others; ++i) {
    const float* from = tiles.partial + static_cast<std::int64_t>(blockIdx.x + 1 + i) * writers * (N / 2) +
                        static_cast<int>(threadIdx.x);
#pragma unroll
    for (int j = 0; j < N / 2; ++j) d[j] += __ldcg(from + j * writers);
  }
  meet<writers>(2);
  for (int i = threadIdx.x; i < others; i += writers) flags[i] = 0;
}

template <class Product, int N>
__device__ void store_tile(const float (&d)[N / 2], const Product& a, std::int64_t tile) {
  float scale = 1;
  if constexpr (std::is_same_v<Product, Fp8Product>) scale = *a.x_scale * *a.w_scale;
  const int lane = threadIdx.x % 32;
  const std::int64_t row = tile * streamed_rows + threadIdx.x / 32 * 16 + lane / 4;
#pragma unroll
  for (int i = 0; i < N / 2; ++i) {
    const std::int64_t out = row + i % 4 / 2 * 8;
    const int token = i / 4 * 8 + lane % 4 * 2 + i % 2;
    if (out >= a.out || token >= a.tokens) continue;
    if (a.y_f32) {
      static_cast<float*>(a.y)[token * a.y_stride + out] = d[i] * scale;
    } else {
      static_cast<Bf16*>(a.y)[token * a.y_stride + out] = to_bf16(d[i] * scale);
    }
  }
}
#endif

template <class Product, int N>
__global__ void __launch_bounds__(threads, 1)
    streamed(const __grid_constant__ StreamedTiles tiles, Product a) {
#ifdef INFEROMETER_HOPPER
  using S = Shape<N>;
  extern __shared__ unsigned char memory[];
  auto& shared =
      *reinterpret_cast<Shared<N>*>((reinterpret_cast<std::uintptr_t>(memory) + 1023) / 1024 * 1024);
  const Work<Product, N> work(a);
  const Range mine = work.of(blockIdx.x);
  allow_next();
  if (threadIdx.x == 0) {
    for (int s = 0; s < S::depth; ++s) {
      init_barrier(shared.full + s, 1);
      init_barrier(shared.empty + s, writers / 32);
    }
    publish_barriers();
  }
  __syncthreads();
  if (threadIdx.x >= consumers) {
    if (threadIdx.x == consumers) load_stages<Product, N>(shared, tiles, work, mine, a.tokens);
    return;
  }
  wait_for_earlier();
  const int group = threadIdx.x / 128, in_group = threadIdx.x % 128;
  for (std::int64_t at = mine.from; at < mine.to;) {
    const std::int64_t tile = at / work.steps, tile_end = (tile + 1) * work.steps;
    const std::int64_t from = at, to = tile_end < mine.to ? tile_end : mine.to;
    float d[N / 2] = {};
    for (; at < to; ++at) {
      const int s = static_cast<int>((at - mine.from) % S::depth);
      if ((at - mine.from) % 2 != group) continue;
      wait(shared.full + s, static_cast<unsigned>((at - mine.from) / S::depth % 2));
      products_begin();
#pragma unroll
      for (int b = 0; b < S::boxes; ++b) {
        const std::uint64_t w = tile_descriptor(shared.stage[s].w[b]),
                            x = tile_descriptor(shared.stage[s].x[b]);
#pragma unroll
        for (int k = 0; k < 4; ++k) {
          if constexpr (std::is_same_v<Product, Fp8Product>) {
            multiply_fp8_tile<N>(d, w + 2 * k, x + 2 * k, 1);
          } else {
            multiply_tile<N>(d, w + 2 * k, x + 2 * k, 1);
          }
        }
      }
      products_end();
      if (threadIdx.x % 32 == 0) arrive(shared.empty + s);
    }
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
    if (from != tile * work.steps) {  // a block before this one began the tile, and will add
      float* partial = tiles.partial + static_cast<std::int64_t>(blockIdx.x) * writers * (N / 2) +
                       static_cast<int>(threadIdx.x);
#pragma unroll
      for (int i = 0; i < N / 2; ++i) __stcg(partial + i * writers, d[i]);
      __threadfence();
      meet<writers>(2);
      if (threadIdx.x == 0) raise(tiles.flags + blockIdx.x);
      continue;
    }
    if (to < tile_end) add_others<Product, N>(d, tiles, work, tile_end);
    store_tile<Product, N>(d, a, tile);
  }
#endif
}

template <int N, class Product>
void start(const Product& a, const StreamedTiles& tiles, const Queue& queue) {
  const auto ceil_div = [](std::int64_t n, std::int64_t d) { return (n + d - 1) / d; };
  const std::int64_t units = ceil_div(a.in, Work<Product, N>::columns) * ceil_div(a.out, streamed_rows);
  const auto blocks = static_cast<unsigned>(units < queue.processors ? units : queue.processors);
  launch(queue, &streamed<Product, N>, blocks, threads, sizeof(Shared<N>) + 1024, tiles, a);
}

template <class Product>
void start_for(const Product& a, const StreamedTiles& tiles, const Queue& queue) {
  switch (token_tile(a.tokens)) {
    case 8:
      return start<8>(a, tiles, queue);
    case 16:
      return start<16>(a, tiles, queue);
    case 32:
      return start<32>(a, tiles, queue);
    default:
      return start<64>(a, tiles, queue);
  }
}

}  // namespace

void product_streamed(const FewTokensProduct& a, const StreamedTiles& tiles, const Queue& queue) {
  start_for(a, tiles, queue);
}
void product_streamed(const Fp8Product& a, const StreamedTiles& tiles, const Queue& queue) {
  start_for(a, tiles, queue);
}

}  // namespace inferometer::cuda
