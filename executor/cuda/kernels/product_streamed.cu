#include "executor/cuda/kernels/products.hpp"
#include "executor/cuda/kernels/wgmma.cuh"

namespace inferometer::cuda {
namespace {

constexpr int consumers = 256, threads = consumers + 32;  // two warpgroups of 64 rows each, one warp that loads
constexpr int rows = streamed_rows, columns = streamed_columns;

template <int N>
constexpr int stages = N <= 16 ? 11 : N == 32 ? 10 : 9;
template <int N>
struct Stage {
  std::uint16_t w[rows * columns], x[N * columns];
};
template <int N>
struct Shared {
  Stage<N> stage[stages<N>];
  std::uint64_t full[stages<N>], empty[stages<N>];
};

struct Range {
  std::int64_t from, to;
};

#ifdef INFEROMETER_HOPPER
__device__ __forceinline__ void consumers_meet() {
  asm volatile("bar.sync 1, %0;" ::"n"(consumers) : "memory");
}
__device__ __forceinline__ void raise(std::uint32_t* flag) {
  asm volatile("st.release.gpu.global.u32 [%0], 1;" ::"l"(flag) : "memory");
}
__device__ __forceinline__ void wait_for(const std::uint32_t* flag) {
  std::uint32_t up = 0;
  while (up == 0) asm volatile("ld.acquire.gpu.global.u32 %0, [%1];" : "=r"(up) : "l"(flag) : "memory");
}
#endif

template <int N>
__global__ void __launch_bounds__(threads, 1)
    streamed(const __grid_constant__ StreamedTiles tiles, FewTokensProduct a) {
#ifdef INFEROMETER_HOPPER
  extern __shared__ unsigned char memory[];
  auto& shared = *reinterpret_cast<Shared<N>*>((reinterpret_cast<std::uintptr_t>(memory) + 1023) / 1024 * 1024);
  constexpr int depth = stages<N>;
  const std::int64_t steps = (a.in + columns - 1) / columns, units = (a.out + rows - 1) / rows * steps;
  const auto range_of = [&](std::int64_t block) {
    return Range{units * block / gridDim.x, units * (block + 1) / gridDim.x};
  };
  const Range mine = range_of(blockIdx.x);
  allow_next();
  if (threadIdx.x == 0) {
    for (int s = 0; s < depth; ++s) {
      init_barrier(shared.full + s, 1);
      init_barrier(shared.empty + s, consumers / 32);
    }
    publish_barriers();
  }
  __syncthreads();
  if (threadIdx.x >= consumers) {  // the warp that loads
    if (threadIdx.x != consumers) return;
    const auto load_w = [&](std::int64_t u) {
      const int s = static_cast<int>((u - mine.from) % depth);
      expect_bytes(shared.full + s, sizeof(Stage<N>));
      copy_box(shared.stage[s].w, &tiles.w, static_cast<int>(u % steps) * columns,
               static_cast<int>(u / steps) * rows, shared.full + s);
    };
    const auto load_x = [&](std::int64_t u) {
      const int s = static_cast<int>((u - mine.from) % depth);
      copy_box(shared.stage[s].x, &tiles.x, static_cast<int>(u % steps) * columns, 0, shared.full + s);
    };
    const std::int64_t ahead = mine.to < mine.from + depth ? mine.to : mine.from + depth;
    for (std::int64_t u = mine.from; u < ahead; ++u) load_w(u);
    wait_for_earlier();
    for (std::int64_t u = mine.from; u < ahead; ++u) load_x(u);
    for (std::int64_t u = ahead; u < mine.to; ++u) {
      const std::int64_t turn = (u - mine.from) / depth;
      wait(shared.empty + (u - mine.from) % depth, static_cast<unsigned>((turn - 1) % 2));
      load_w(u);
      load_x(u);
    }
    return;
  }
  wait_for_earlier();
  const int group = threadIdx.x / 128, lane = threadIdx.x % 32, warp = threadIdx.x % 128 / 32;
  const auto partial_of = [&](std::int64_t block) {
    return tiles.partial + block * rows * N + static_cast<int>(threadIdx.x);
  };
  for (std::int64_t at = mine.from; at < mine.to;) {
    const std::int64_t tile = at / steps, tile_end = (tile + 1) * steps;
    const std::int64_t from = at, to = tile_end < mine.to ? tile_end : mine.to;
    float d[N / 2];
    for (; at < to; ++at) {
      const int s = static_cast<int>((at - mine.from) % depth);
      wait(shared.full + s, static_cast<unsigned>((at - mine.from) / depth % 2));
      const std::uint64_t w = tile_descriptor(shared.stage[s].w + group * 64 * columns),
                          x = tile_descriptor(shared.stage[s].x);
      products_begin();
#pragma unroll
      for (int k = 0; k < columns / 16; ++k) multiply_tile<N>(d, w + 2 * k, x + 2 * k, at > from || k > 0);
      products_end();
      if (lane == 0) arrive(shared.empty + s);
    }
    if (from != tile * steps) {  // somebody else began this tile
      float* to_partial = partial_of(blockIdx.x);
#pragma unroll
      for (int i = 0; i < N / 2; ++i) __stcg(to_partial + i * consumers, d[i]);
      __threadfence();
      consumers_meet();
      if (threadIdx.x == 0) raise(tiles.flags + blockIdx.x);
      continue;
    }
    for (std::int64_t other = blockIdx.x + 1; to < tile_end && other < gridDim.x; ++other) {
      if (range_of(other).from >= tile_end) break;
      wait_for(tiles.flags + other);
      const float* from_partial = partial_of(other);
#pragma unroll
      for (int i = 0; i < N / 2; ++i) d[i] += __ldcg(from_partial + i * consumers);
      consumers_meet();
      if (threadIdx.x == 0) tiles.flags[other] = 0;
    }
    const std::int64_t row = tile * rows + group * 64 + warp * 16 + lane / 4;
#pragma unroll
    for (int i = 0; i < N / 2; ++i) {
      const std::int64_t out = row + i % 4 / 2 * 8;
      const int token = i / 4 * 8 + lane % 4 * 2 + i % 2;
      if (out >= a.out || token >= a.tokens) continue;
      if (a.y_f32) {
        static_cast<float*>(a.y)[token * a.y_stride + out] = d[i];
      } else {
        static_cast<Bf16*>(a.y)[token * a.y_stride + out] = to_bf16(d[i]);
      }
    }
  }
#endif
}

template <int N>
void start(const FewTokensProduct& a, const StreamedTiles& tiles, const Queue& queue) {
  const std::int64_t units =
      static_cast<std::int64_t>((a.in + columns - 1) / columns) * ((a.out + rows - 1) / rows);
  const auto blocks = static_cast<unsigned>(units < queue.processors ? units : queue.processors);
  launch(queue, &streamed<N>, blocks, threads, sizeof(Shared<N>) + 1024, tiles, a);
}

}  // namespace

void product_streamed(const FewTokensProduct& a, const StreamedTiles& tiles, const Queue& queue) {
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

}  // namespace inferometer::cuda
