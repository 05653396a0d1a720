#include "executor/cuda/kernels/int4_row.cuh"

namespace inferometer::cuda {
namespace {

using namespace int4_bytes;

/// Runs of 32 rows are dealt out to the blocks; of each the warps take groups of inputs in turns: 16, since
/// with 8, 12, 20, 24 or 32 an H200 took longer (2026-11-30, driver 580). Warps that multiply ask for no
/// copies, for which a thread waits while many are on their way (3 us of the product of gates and ups): one
/// more for each four of them does, whose ring they share, so that it waits and expects once for four.
constexpr int warps = 16, threads = warps * 32, rings = 4, sharing = warps / rings;
constexpr int all_threads = threads + rings * 32, pair = 2;
/// Where the warps of the first ring meet once its barriers are made; the others' follow. 1 is of the warps
/// that multiply.
constexpr int first_made = 2, ring_threads = (sharing + 1) * 32;
constexpr int most_depth = 6;  ///< what fits beside one group
using Kind = Prologue::Kind;

using Stage = Int4Rows[sharing];
/// In front of the groups and the rings.
struct alignas(16) Shared {
  Zeros none;
  float sums[2][warps][32];  ///< of a run, by each warp, in turns
  float squares[warps];
  float2 received[32];  ///< of a run that is shared
  std::uint64_t full[rings][most_depth], empty[rings][most_depth];
  std::uint64_t asked, arrived;
};
struct Arguments {
  Bf16Product product;
  const Int4Unit* w;
  Prologue prologue;
  Epilogue epilogue;
  int depth;
};

constexpr std::int64_t x_bytes(std::int64_t in) {
  return int4_groups(in) * static_cast<std::int64_t>(sizeof(Group));
}
constexpr int depth_of(std::int64_t in) {
  const std::int64_t left = 227 * 1024 - static_cast<std::int64_t>(sizeof(Shared)) - x_bytes(in);
  return static_cast<int>(left / (rings * static_cast<std::int64_t>(sizeof(Stage))));
}
static_assert(depth_of(8) == most_depth);

#ifdef INFEROMETER_HOPPER
/// 32 rows of y.
struct Run {
  int target;  ///< the target-th of y
  int rows;    ///< the rows-th 32 of W: where gated there are two, that of the gates and then that of the ups
  bool shared;  ///< with the other block of the pair, each for half of the groups

  /// The first group of a ring in it, and how far apart they are.
  __device__ __forceinline__ int first(int ring) const {
    return ring * sharing + (shared && (ring + blockIdx.x) % 2 != 0 ? warps : 0);
  }
  __device__ __forceinline__ int step() const { return shared ? 2 * warps : warps; }
};
/// Runs are dealt out to the pairs of blocks, so that each block has as many as the other: one is shared if
/// they are odd.
template <class F>
__device__ __forceinline__ void for_runs(const Arguments& a, F f) {
  const int all = (a.product.out + 31) / 32, pairs = static_cast<int>(gridDim.x) / pair;
  const int rank = static_cast<int>(blockIdx.x) % pair;
  const bool gated = a.epilogue.gated;
  bool up = false;
#pragma unroll 1
  for (int first = static_cast<int>(blockIdx.x) / pair; first < all;) {
    const bool shared = first + pairs >= all;
    const int target = shared ? first : first + rank * pairs;
    f(Run{target, up ? target + all : target, shared});
    up = gated && !up;
    if (!up) first += pair * pairs;
  }
}

/// By a warp: stage after stage, one at a time until the row is on its way (first_fill.cuh says why).
__device__ __forceinline__ void fill(Shared& shared, Stage* stages, int ring, const Arguments& a) {
  const int groups = static_cast<int>(int4_groups(a.product.in));
  const std::uint64_t policy = read_once();
  // The others while the first stage is on its way.
  bool made = false;
  const auto make_others = [&] {
    if (elect()) make_barriers(shared.full[ring], shared.empty[ring], 1, a.depth, sharing);
    __syncwarp();
    come<ring_threads>(first_made + ring);
    made = true;
  };
  if (elect()) make_barriers(shared.full[ring], shared.empty[ring], 0, 1, sharing);
  __syncwarp();
  RingPlace at;
  bool first = true;
  for_runs(a, [&](const Run& run) {
    constexpr int apart = sizeof(Int4Unit) / sizeof(Int4Rows);
    const Int4Rows* from = a.w[static_cast<std::int64_t>(run.rows / 4) * groups].rows + run.rows % 4;
#pragma unroll 1
    for (int group = run.first(ring); group < groups; group += run.step()) {
      std::uint64_t* full = shared.full[ring] + at.stage;
      if (first && at.stage > 0) {
        while (!landed(full - 1, 0) && !landed(&shared.asked, 0)) {
        }
      }
      if (!first) wait(shared.empty[ring] + at.stage, at.phase ^ 1U);
      const int count = min(sharing, groups - group);
      if (elect()) {
        expect_bytes(full, static_cast<unsigned>(count * sizeof(Int4Rows)));
#pragma unroll
        for (int i = 0; i < sharing; ++i) {
          if (i < count)
            copy_bulk(stages[at.stage] + i, from + (group + i) * apart, sizeof(Int4Rows), full, policy);
        }
      }
      __syncwarp();
      if (!made) make_others();
      at.next(a.depth);
      first = first && at.stage != 0;
    }
  });
  if (!made) make_others();
}

#endif

template <Kind K>
__global__ void __launch_bounds__(all_threads, 1) one_token(const __grid_constant__ Arguments a) {
#ifdef INFEROMETER_HOPPER
  extern __shared__ __align__(128) unsigned char memory[];
  auto& shared = *reinterpret_cast<Shared*>(memory);
  const int warp = warp_index(), lane = static_cast<int>(threadIdx.x) % 32;
  const int groups = static_cast<int>(int4_groups(a.product.in));
  auto* x = reinterpret_cast<Group*>(memory + sizeof(Shared));
  const int ring = warp < warps ? warp / sharing : warp - warps;
  auto* stages = reinterpret_cast<Stage*>(x + groups) + ring * a.depth;
  if (threadIdx.x == 0) {
    init_barrier(&shared.asked, warps);
    init_barrier(&shared.arrived, 1);
    publish_barriers();
    shared.none[0] = shared.none[sizeof(Group::x[0]) * 4 / 16] = {};
    expect_bytes(&shared.arrived, sizeof(shared.received));
  }
  __syncthreads();
  arrive_at_cluster();
  if (warp >= warps) {
    fill(shared, stages, ring, a);
    wait_for_cluster();
    return;
  }
  make_groups<K, warps>(x, a.product.x, a.product.in, a.prologue, shared.squares, &shared.asked);
  meet<ring_threads>(first_made + ring);
  wait_for_cluster();  // whose blocks started with this one, long ago
  const Operands operands(&stages[0][warp % sharing], x, shared.none);
  std::uint32_t full = shared_address(shared.full[ring]), empty = shared_address(shared.empty[ring]);
  asm volatile("" : "+r"(full), "+r"(empty));  // as in Operands
  float gate = 0;
  RingPlace at;
  unsigned turn = 0;
  const bool gated = a.epilogue.gated;
  for_runs(a, [&](const Run& run) {
    float total[4] = {};
#pragma unroll 1
    for (int group = run.first(ring); group < groups; group += run.step()) {
      const std::uint32_t stage = at.stage * sizeof(std::uint64_t);
      wait(full + stage, at.phase);
      if (group + warp % sharing < groups)
        multiply(total, operands, at.stage * sizeof(Stage), group + warp % sharing);
      __syncwarp();
      if (lane == 0) arrive(empty + stage);
      at.next(a.depth);
    }
    float(&sums)[warps][32] = shared.sums[turn % 2];
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const float all = total[i] + __shfl_down_sync(~0U, total[i], 1);
      if (lane % 4 == 0) sums[warp][lane / 4 + 8 * i] = all;
    }
    meet<threads>(1);
    const bool mine = warp == static_cast<int>(gated ? turn / 2 : turn) % warps;
    ++turn;
    if (!mine) return;
    float sum = 0;
#pragma unroll
    for (int w = 0; w < warps; ++w) sum += sums[w][lane];
    if (gated && run.rows == run.target) {
      gate = sum;
      return;
    }
    if (run.shared && blockIdx.x % pair != 0) {
      send(shared.received + lane, &shared.arrived, 0, float2{sum, gate});
      return;
    }
    if (run.shared) {
      wait_for_neighbours(&shared.arrived, 0);
      sum += shared.received[lane].x;
      gate += shared.received[lane].y;
    }
    if (gated) sum = gate_silu(to_float(to_bf16(gate)), to_float(to_bf16(sum)));
    store(a.product, run.target * 32 + lane, 0, sum);
  });
#endif
}

template <Kind K>
void start(const Arguments& a, const Queue& queue) {
  const std::size_t shared = sizeof(Shared) + static_cast<std::size_t>(x_bytes(a.product.in)) +
                             sizeof(Stage) * static_cast<std::size_t>(rings * a.depth);
  launch_clusters(queue, pair, &one_token<K>, static_cast<unsigned>(queue.processors / pair * pair),
                  all_threads, shared, a);
}

}  // namespace

bool int4_one_token_fits(std::int64_t in) { return depth_of(in) >= 2; }

void product_int4_one_token(const Bf16Product& product, const Int4Unit* w, const Prologue& p,
                            const Epilogue& epilogue, const Queue& queue) {
  const Arguments a{product, w, p, epilogue, depth_of(product.in)};
  switch (p.kind) {
    case Kind::none:
      return start<Kind::none>(a, queue);
    case Kind::norm:
      return start<Kind::norm>(a, queue);
    case Kind::add_norm:
      return start<Kind::add_norm>(a, queue);
    case Kind::gated:
      return start<Kind::gated>(a, queue);
  }
}

}  // namespace inferometer::cuda
