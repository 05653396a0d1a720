#pragma once
#include "executor/cuda/kernels/device.cuh"
#include "executor/cuda/kernels/experts.hpp"

// How the products of a step's experts are cut into tiles, and dealt out to the blocks of a grid.
namespace inferometer::cuda {

/// Tiles of Rows rows of W by N rows of x, both in boxes of 128 bytes along k. Of 64 rows the warpgroups take
/// turns along k, and the first writes. Of more each has its half, in runs of 64.
template <int Rows, int N>
struct Shape {
  static constexpr bool turns = Rows == 64;
  static constexpr int runs = turns ? 1 : Rows / 128;  ///< of a warpgroup
  static constexpr int writers = turns ? 128 : 256;
  static constexpr int boxes = N == most_expert_tile ? 1 : 256 / Rows;
  static constexpr int columns = boxes * 64;  // in the maps' elements of two bytes
  static constexpr int stage_bytes = boxes * 128 * (Rows + N);
  // Even, so that a stage is always the same warpgroup's where they take turns: a barrier's phase can be
  // told from the one before it only, which nobody may miss.
  static constexpr int depth = 208 * 1024 / stage_bytes / (turns ? 2 : 1) * (turns ? 2 : 1);
};
/// What a thread has of a tile: of each run, d of multiply_tile.
template <int Rows, int N>
using Sums = float[Shape<Rows, N>::runs][N / 2];

#ifdef INFEROMETER_HOPPER
/// One warp: how many tiles of N rows the experts before each have.
template <int N>
__device__ void count_tiles(const ExpertProduct& a, int* tiles) {
  const int lane = threadIdx.x % 32;
  int sum = 0;
  for (int from = 0; from < a.experts; from += 32) {
    const int e = from + lane;
    const int rows = e < a.experts ? __ldcg(a.groups.offsets + e + 1) - __ldcg(a.groups.offsets + e) : 0;
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
#endif

}  // namespace inferometer::cuda
