#pragma once
#include "executor/cuda/kernels/flags.cuh"
#include "executor/cuda/kernels/hopper.cuh"
#include "executor/cuda/kernels/int4.hpp"

// Tiles of a product dealt out evenly to all blocks, whoever ends up with how many parts of one (stream-K,
// Osama et al., arXiv 2301.03598).
#ifdef INFEROMETER_HOPPER
namespace inferometer::cuda {

struct Range {
  int from, to;
};

/// Units of int4 weights times tiles of tokens: first along k, then the tokens, then the rows.
struct Int4Work {
  int groups, token_tiles, units;
  __device__ __forceinline__ Int4Work(const Bf16Product& a, int tile_tokens)
      : groups(static_cast<int>(int4_groups(a.in))),
        token_tiles((a.tokens + tile_tokens - 1) / tile_tokens),
        units(static_cast<int>(int4_units(a.out, a.in)) * token_tiles) {}
  __device__ __forceinline__ Range of(unsigned block) const {
    const auto all = static_cast<std::int64_t>(units);
    return {static_cast<int>(all * block / gridDim.x), static_cast<int>(all * (block + 1) / gridDim.x)};
  }
  __device__ __forceinline__ int tile(int u) const { return u / groups; }
};
/// Where a unit of work lies. One divides once and then counts: each division takes as long as a load.
struct Int4Position {
  int group, token_tile, row_tile;
  __device__ __forceinline__ Int4Position(const Int4Work& work, int u)
      : group(u % work.groups),
        token_tile(u / work.groups % work.token_tiles),
        row_tile(u / work.groups / work.token_tiles) {}
  __device__ __forceinline__ void advance(const Int4Work& work) {
    if (++group < work.groups) return;
    group = 0;
    if (++token_tile < work.token_tiles) return;
    token_tile = 0;
    ++row_tile;
  }
};

/// What a block does with its part [from, to) of a tile: hands the sums to the block that began it, or adds
/// those of the blocks behind to its own. Called by the first Writers threads; uses barrier 2.
/// returns whether this block began the tile: `total` is then complete
template <int Writers, int Count>
__device__ bool complete_tile(float (&total)[Count], const Int4Split& split, const Int4Work& work, int from,
                              int to) {
  const int tile_end = (work.tile(from) + 1) * work.groups;
  const auto place = [&](unsigned block) {
    return split.partial + static_cast<std::int64_t>(block) * Writers * Count + static_cast<int>(threadIdx.x);
  };
  if (from != tile_end - work.groups) {
    float* partial = place(blockIdx.x);
#pragma unroll
    for (int i = 0; i < Count; ++i) __stcg(partial + i * Writers, total[i]);
    __threadfence();
    meet<Writers>(2);
    if (threadIdx.x == 0) raise(split.flags + blockIdx.x);
    return false;
  }
  if (to == tile_end) return true;
  int others = 0;
  while (blockIdx.x + 1 + others < gridDim.x && work.of(blockIdx.x + 1 + others).from < tile_end) ++others;
  std::uint32_t* flags = split.flags + blockIdx.x + 1;
  for (int i = threadIdx.x; i < others; i += Writers) wait_for(flags + i);
  meet<Writers>(2);
  for (int i = 0; i < others; ++i) {
    const float* partial = place(blockIdx.x + 1 + i);
#pragma unroll
    for (int j = 0; j < Count; ++j) total[j] += __ldcg(partial + j * Writers);
  }
  meet<Writers>(2);
  for (int i = threadIdx.x; i < others; i += Writers) flags[i] = 0;
  return true;
}

}  // namespace inferometer::cuda
#endif
