#pragma once
#include <type_traits>

#include "executor/cuda/kernels/hopper.cuh"
#include "executor/cuda/kernels/products_fp8.hpp"

// How a block that streams rows of W past all tokens keeps its shared memory full.

namespace inferometer::cuda::streaming {

/// Two warpgroups that multiply; a warp that loads W and one that loads x.
inline constexpr int group_threads = 128, consumers = 2 * group_threads, threads = consumers + 64;
inline constexpr int most_shared = 227 * 1024, most_stages = 12;

template <class Product>
inline constexpr bool of_fp8 = std::is_same_v<Product, Fp8Product>;
/// Columns of a box: rows of 128 bytes.
template <class Product>
inline constexpr int box_columns = of_fp8<Product> ? 128 : 64;

/// Tiles of N rows of W in stages of so many boxes along k, half of them each warpgroup's: long runs along k
/// are what memory likes.
inline constexpr int boxes = 4;

/// In the first 1024 bytes of shared memory.
struct Barriers {
  std::uint64_t full_w[most_stages], empty_w[most_stages], full_x[most_stages], empty_x[most_stages];
};

/// How shared memory is used: stages of x, which come from the L2 cache, and of W. With more of W on its way
/// x would be kept waiting (measured on an H200).
template <int N>
struct Layout {
  static constexpr int w_stage = boxes * N * 128, most_w = (N <= 64 ? 96 : 128) * 1024;
  static constexpr int sums = 2 * (N / 4) * group_threads;  ///< that warpgroups hand each other
  static constexpr int x_depth = N <= 16 ? 5 : N <= 32 ? 4 : N <= 64 ? 3 : 2;
  static_assert(most_w / w_stage <= most_stages && x_depth <= most_stages);
  static_assert(sizeof(Barriers) <= 1024 &&
                most_shared - 2048 - sums * 4 - x_depth * boxes * 64 * 128 >= 2 * w_stage);
  int box, x_stage, w_depth;  ///< bytes of a box of x, of a stage; stages

  __device__ __forceinline__ explicit Layout(int tokens)
      : box((tokens + 7) / 8 * 1024),
        x_stage(boxes * box),
        w_depth(min(most_w, most_shared - 2048 - sums * 4 - x_depth * x_stage) / w_stage) {}
};

/// What there is to do: tiles of outputs, dealt out to the blocks in turns, each in steps along k. Half of a
/// tile's rows of W are `apart` from the other half.
template <class Product, int N>
struct Work {
  int outputs, tiles, steps, apart;

  __host__ __device__ __forceinline__ Work(const Product& a, bool gated)
      : outputs(gated ? N / 2 : N),
        // divisions by constants: memory waits for what is computed before the first load
        tiles(gated ? (a.out + N / 2 - 1) / (N / 2) : (a.out + N - 1) / N),
        steps((a.in + boxes * box_columns<Product> - 1) / (boxes * box_columns<Product>)),
        apart(gated ? a.out : N / 2) {}
};

#ifdef INFEROMETER_HOPPER
/// A warp calls load(tile, step, stage) for all that this block does, as stages become empty.
template <class Product, int N, class F>
__device__ void keep_full(const Work<Product, N>& work, std::uint64_t* empty, int depth, F load) {
  RingPlace place;
  unsigned round = 0;  // nobody has to empty the stages of the first
  for (int tile = blockIdx.x; tile < work.tiles; tile += gridDim.x) {
    for (int step = 0; step < work.steps; ++step) {
      if (round > 0) wait(empty + place.stage, place.phase ^ 1);
      load(tile, step, place.stage);
      __syncwarp();
      place.next(depth);
      if (place.stage == 0) round = 1;
    }
  }
}

/// Weights are fetched ahead of the kernel that makes x.
template <class Product, int N>
__device__ void load_w(Barriers& barriers, unsigned char* stages, const Layout<N>& layout,
                       const StreamedMaps& maps, const Work<Product, N>& work) {
  const std::uint64_t policy = read_once();
  keep_full(work, barriers.empty_w, layout.w_depth, [&](int tile, int step, int s) {
    std::uint64_t* full = barriers.full_w + s;
    if (!elect()) return;
    expect_bytes(full, layout.w_stage);
#pragma unroll
    for (int b = 0; b < boxes; ++b) {
      unsigned char* w = stages + s * layout.w_stage + b * N * 128;
      const int column = (step * boxes + b) * box_columns<Product>, row = tile * work.outputs;
      copy_box(w, &maps.w, column, row, full, policy);
      copy_box(w + N * 64, &maps.w, column, row + work.apart, full, policy);
    }
  });
}
template <class Product, int N>
__device__ void load_x(Barriers& barriers, unsigned char* stages, const Layout<N>& layout,
                       const StreamedMaps& maps, const Work<Product, N>& work, int tokens) {
  wait_for_earlier();
  keep_full(work, barriers.empty_x, layout.x_depth, [&](int, int step, int s) {
    std::uint64_t* full = barriers.full_x + s;
    if (!elect()) return;
    expect_bytes(full, boxes * 128 * tokens);
#pragma unroll
    for (int b = 0; b < boxes; ++b)
      copy_box(stages + s * layout.x_stage + b * layout.box, &maps.x,
               (step * boxes + b) * box_columns<Product>, 0, full);
  });
}
#endif

}  // namespace inferometer::cuda::streaming
