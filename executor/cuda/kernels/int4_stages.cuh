#pragma once
#include "executor/cuda/kernels/hopper.cuh"
#include "executor/cuda/kernels/int4.cuh"

// How blocks that stream int4 weights past few tokens share the work and keep their shared memory full.

namespace inferometer::cuda::int4_streaming {

/// Two blocks, a cluster, share the columns of a tile of rows of W: with fewer tiles side by side there is
/// less of x to fetch. Within a block sets of warps, one for each 32 rows, take turns along k, then add what
/// they have; two warps load W and x.
inline constexpr int pair = 2;

/// Tiles of P times 32 rows of W, in stages of one group; N tokens. Sets, depths and what is left of shared
/// memory are those that took least on an H200 (2026-12-01, driver 580, 1.98 GHz).
template <int N, int P>
struct Shape {
  static constexpr int sets = P == 1 ? (N <= 16 ? 16 : 8) : P == 2 ? 8 : P == 3 ? 4 : P == 6 ? 2 : 1;
  static constexpr int warps = sets * P, consumers = warps * 32, threads = consumers + 64;
  static constexpr int tiles = N / 8;                             ///< of eight tokens
  static constexpr int pieces = 2 * P * tiles;                    ///< of 16 rows and 8 tokens, 4 sums a lane
  static constexpr int tasks = (pieces / 2 + warps - 1) / warps;  ///< pairs of pieces that a warp ends
  static constexpr int w_bytes = P * static_cast<int>(sizeof(Int4Rows)), x_bytes = N * int4_group * 2;
  // Not all there is, so that small kernels before find room beside the weights that are fetched ahead.
  static constexpr int sum_bytes = (sets * 4 + 2 * 2) * pieces * 32 * 4, most_shared = 204 * 1024;
  // Multiples of `sets`, so that a stage is always the same set's: a barrier's phase can be told from the one
  // before it only, which nobody may miss.
  static constexpr int x_fit = 64 * 1024 / x_bytes < 16 ? 64 * 1024 / x_bytes : 16,
                       x_depth = sets < 4 ? 8 : x_fit / sets * sets;
  static constexpr int fit = (most_shared - sum_bytes - x_depth * x_bytes) / w_bytes,
                       w_depth = (fit < 24 ? fit : 24) / sets * sets;
  static_assert(w_depth >= 2 && w_depth >= sets && x_depth >= sets && x_depth % sets == 0);
  /// Whether zero points are subtracted from sums, by sums of x that the warp which loads x finds, instead of
  /// from each weight. With few rows to a group it would not keep up.
  static constexpr bool sums_x = P == 14;
};
template <int Depth>
struct Barriers {
  std::uint64_t full[Depth], empty[Depth];
};
template <int N, int P>
struct alignas(1024) Shared {
  using S = Shape<N, P>;
  Bf16 x[S::x_depth][2][N][64];  ///< boxes of 64 columns
  Int4Rows w[S::w_depth][P];
  float sums[S::sets][S::pieces][4][32];
  float2 received[2][S::pieces][32];  ///< of a tile and the next
  float x_sums[S::x_depth][N];        ///< where S::sums_x, over the group's columns
  float row_scale[N];                 ///< of tokens
  Barriers<S::w_depth> of_w;
  Barriers<S::x_depth> of_x;
  std::uint64_t arrived[2];
  std::uint64_t scaled;              ///< row_scale is there
  std::uint64_t summed[S::x_depth];  ///< x_sums of a stage are
};

struct Arguments {
  Bf16Product product;
  const Int4Unit* w;
  bool gated;
  Norms norms;
  NextInt4 next;
};

/// Tiles, dealt out to the pairs of blocks in turns, and of each tile the groups that are this block's.
template <int P>
struct Work {
  int groups, tiles, from, to;

  __device__ __forceinline__ explicit Work(const Arguments& a)
      : groups(static_cast<int>(int4_groups(a.product.in))), tiles(count(a.product, a.gated)) {
    const int half = (groups + 1) / 2;
    from = blockIdx.x % pair == 0 ? 0 : half;
    to = blockIdx.x % pair == 0 ? half : groups;
  }
  __host__ __device__ static int count(const Bf16Product& a, bool gated) {
    const int outputs = 32 * (gated ? P / 2 : P);
    return (a.out + outputs - 1) / outputs;
  }
};

#ifdef INFEROMETER_HOPPER
/// A warp calls start(tile), then load(stage) for each group of it, as stages become empty. Few
/// instructions: they wait for their turn behind those of the warps that multiply.
template <int Depth, int P, class Start, class Load>
__device__ __forceinline__ void keep_full(Barriers<Depth>& barriers, const Work<P>& work, Start start,
                                          Load load) {
  // Of a barrier that nothing has completed on the phase before the first has: stages are empty at first.
  RingPlace at{.phase = 1};
  for (int tile = static_cast<int>(blockIdx.x) / pair; tile < work.tiles; tile += gridDim.x / pair) {
    start(tile);
#pragma unroll 1
    for (int group = work.from; group < work.to; ++group) {
      wait(barriers.empty + at.stage, at.phase);
      load(at.stage);
      __syncwarp();
      at.next(Depth);
    }
  }
}

/// Into the L2 cache, by a warp of each block.
__device__ __forceinline__ void fetch(const NextInt4& next) {
  const int lane = static_cast<int>(threadIdx.x) % 32, blocks = static_cast<int>(gridDim.x);
  for (int i = lane * blocks + static_cast<int>(blockIdx.x); i < 2 * next.stripes * next.first;
       i += 32 * blocks) {
    if (const std::int64_t unit = next_unit(next, i); unit >= 0)
      prefetch_bulk(next.w + unit, sizeof(Int4Unit));
  }
}

/// Weights are fetched ahead of the kernel that makes x, by as few copies as there are runs in memory.
template <int N, int P>
__device__ __forceinline__ void load_w(Shared<N, P>& shared, const Arguments& a, const Work<P>& work) {
  constexpr int most = P == 1 ? 1 : P <= 3 ? 2 : P == 6 ? 4 : 6;  // runs of rows that share a unit
  const Int4Rows* at[most];
  int to[most], rows[most], all = 0;
  const std::uint64_t policy = read_once();
  const auto start = [&](int tile) {
    const int blocks = (a.product.out + 31) / 32, gates = a.gated ? P / 2 : P;
    int p = 0;
    all = 0;
#pragma unroll
    for (int r = 0; r < most; ++r) {
      const bool up = p >= gates;
      const int block = tile * gates + (up ? p - gates : p), end = up ? P : gates;
      const int there = block + (up ? blocks : 0);
      // What lies behind the end nobody stores, whatever it is.
      rows[r] = max(min(min(4 - there % 4, end - p), blocks - block), 0);
      at[r] = a.w[static_cast<std::int64_t>(there / 4) * work.groups + work.from].rows + there % 4;
      to[r] = p;
      all += rows[r];
      p = rows[r] > 0 ? p + rows[r] : end;
    }
  };
  keep_full(shared.of_w, work, start, [&](int s) {
    std::uint64_t* full = shared.of_w.full + s;
    const bool one = elect();
    if (one) expect_bytes(full, static_cast<unsigned>(all * sizeof(Int4Rows)));
#pragma unroll
    for (int r = 0; r < most; ++r) {
      if (one && rows[r] > 0)
        copy_bulk(shared.w[s] + to[r], at[r], static_cast<unsigned>(rows[r] * sizeof(Int4Rows)), full,
                  policy);
      at[r] += sizeof(Int4Unit) / sizeof(Int4Rows);
    }
  });
  // Measured in whole steps of an 8B model: 16 tokens take 1 to 1.5 % less, 24 and 32 as long, 8 as long, 4
  // 0.8 % more.
  if constexpr (N > 8) fetch(a.next);
}
/// sum(stage, phase): what this warp does with a stage that it asked for   besides(): what it does once, when
/// all of the first tile has been asked for; the sums of its last stages come behind that
template <int N, int P, class Sum, class Besides>
__device__ __forceinline__ void load_x(Shared<N, P>& shared, const CUtensorMap& map, const Work<P>& work,
                                       Sum sum, Besides besides) {
  using S = Shape<N, P>;
  constexpr int behind = S::sums_x ? S::x_depth / 2 : 0;  // stages are then summed that are likely there
  wait_for_earlier();
  int run = 0, tiles = 0, asked = 0;
  RingPlace summed{};
  const auto sum_next = [&] {
    sum(summed.stage, summed.phase);
    summed.next(S::x_depth);
  };
  keep_full(
      shared.of_x, work,
      [&](int) {
        run = 2 * work.from;
        if (tiles++ == 1) besides();
      },
      [&](int s) {
        if (elect()) {
          std::uint64_t* full = shared.of_x.full + s;
          expect_bytes(full, S::x_bytes);
          copy_runs(shared.x[s], &map, run, full);
        }
        run += 2;
        if (S::sums_x && ++asked > behind) sum_next();
      });
#pragma unroll 1
  for (int left = min(asked, behind); left > 0; --left) sum_next();
  if (tiles == 1) besides();
}

/// Where a set is that takes each `Sets`th stage.
template <int Depth, int Sets>
struct Place {
  int stage = 0;
  unsigned phase = 0;

  __device__ __forceinline__ void next() {
    stage += Sets;
    if (stage < Depth) return;
    stage -= Depth;
    phase ^= 1U;
  }
};
#endif

}  // namespace inferometer::cuda::int4_streaming
