#include <algorithm>
#include <climits>
#include <type_traits>

#include "executor/cuda/kernels/attention_combine.cuh"
#include "executor/cuda/kernels/attention_eight.cuh"
#include "executor/cuda/kernels/attention_fresh.cuh"
#include "executor/cuda/kernels/attention_mma.cuh"
#include "model/decode_splits.hpp"

namespace inferometer::cuda {
namespace {

constexpr int warps = 4, threads = warps * 32, keys = 16, most_stages = 8;
/// Of a multiprocessor [B], and what a block takes of it besides what it asks for.
constexpr std::size_t shared_memory = 228 << 10, reserved = 1 << 10;
/// Registers are shared out for so many.
template <int D>
constexpr int most_resident = static_cast<int>(resident_decode_blocks(D));

/// 16 keys of one warp and their values.
template <class Element, int D>
struct Tile {
  Element k[keys * D], v[keys * D];
};
/// What all blocks have; stages of tiles follow, [stages][warps], used again for what the warps found once
/// all keys are read.
template <int D, int Rows>
struct Shared {
  alignas(128) Bf16 fresh[Rows + 2][D + 8];
  alignas(8) std::uint64_t full[most_stages][warps];
  float top[warps][Rows], sum[warps][Rows];
  unsigned last;
};

/// How a launch shares out a multiprocessor: blocks that it runs at once, and tiles that each warp has on
/// their way. No more than one block alone needs to keep its share of memory busy: queries that are asked for
/// behind them come later, and blocks end further apart (on an H200, 128 blocks of 512 to 8192 keys of 128,
/// 64 KiB of each on their way: 1.5 to 10 us less than with all that fits; 2026-12-01, driver 580).
template <class Element, int D, int Rows>
struct Shares {
  static constexpr std::size_t stage = warps * sizeof(Tile<Element, D>), fixed = sizeof(Shared<D, Rows>),
                               most_on_way = 64 << 10;
  static_assert(most_on_way / stage <= most_stages);
  static constexpr std::size_t of(int resident) {
    return shared_memory / static_cast<unsigned>(resident) / 128 * 128 - reserved;
  }
  int stages;
  std::size_t bytes;  ///< asked for: more than of a block of which one more would fit
  constexpr Shares(int resident, std::size_t besides)
      : stages(static_cast<int>(std::min(most_on_way, of(resident) - fixed - besides) / stage)),
        bytes(std::max(fixed + static_cast<unsigned>(stages) * stage + besides, of(resident + 1) + 128)) {}
  /// Whether a multiprocessor has room for as many blocks as are asked for and no more, of each number up to
  /// `most`.
  static constexpr bool shares_out(int most, std::size_t besides) {
    for (int resident = 1; resident <= most; ++resident) {
      const std::size_t block = Shares(resident, besides).bytes + reserved;
      const auto room = static_cast<int>(shared_memory / block);
      if (room != resident) return false;
    }
    return true;
  }
};

/// What a kernel without new keys has in the place of FreshArguments.
struct NoneFresh {};

template <class Element, int D, int Rows>
constexpr int least_stages = Shares<Element, D, Rows>(most_resident<D>, 0).stages;

/// Block (part, kv_head, sequence), or (0, kv_head, place among the listed parts). Each warp streams its own
/// tiles of 16 keys through its own stages. Eight: no sequence has more rows of queries than that.
template <class Element, int D, class Fresh, bool Eight>
__global__ void __launch_bounds__(threads, most_resident<D>)
    decode(AttentionArguments a, Fresh fresh, DecodeSplit split, int stages, bool clustered) {
#ifdef INFEROMETER_HOPPER
  constexpr bool appends = std::is_same_v<Fresh, FreshArguments>;
  constexpr int most_rows = Eight ? 8 : static_cast<int>(decode_rows);
  extern __shared__ __align__(128) unsigned char memory[];
  using Memory = Shared<D, most_rows>;
  auto& shared = *reinterpret_cast<Memory*>(memory);
  auto* const tiles_there = reinterpret_cast<Tile<Element, D>*>(memory + sizeof(Memory));
  auto& received = *reinterpret_cast<Received<D, most_rows>*>(tiles_there + stages * warps);
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, kv_head = blockIdx.y;
  const DecodePart part = split.parts != nullptr ? split.parts[blockIdx.z] : part_of(a);
  const Sequence& s = part.sequence;
  allow_next();
  if (part.of == 0) return;
  if (clustered) announce(received);
  if (lane == 0) {
#pragma unroll 1
    for (int s = 0; s < stages; ++s) init_barrier(&shared.full[s][warp], 1);
    publish_barriers();
  }
  __syncwarp();
  const int group = a.heads / a.cache.kv_heads, rows = s.fresh * group, total = s.cached + s.fresh;
  const int hidden = a.window > 0 && s.cached >= a.window ? s.cached - a.window + 1 : 0;
  const int low = hidden / keys, tiles = (total + keys - 1) / keys - low;
  // No division where none is needed: memory waits for what is computed before the first load.
  const auto start_of = [&](int p) { return part.of == 1 ? low + tiles * p : low + tiles * p / part.of; };
  const int from = start_of(part.part), to = start_of(part.part + 1);
  const int count = from + warp < to ? (to - from - warp + warps - 1) / warps : 0;
  const TileLoader<Element, D, keys> loader(a, s, kv_head);
  const auto first_key = [&](int i) { return (from + warp + i * warps) * keys; };
  int issued = 0, block = loader.find(first_key(0));  // its block is looked up before a tile is fetched
  const std::uint64_t policy = read_once();
  const auto load = [&](int stage) {
    Tile<Element, D>& tile = tiles_there[stage * warps + warp];
    loader.load(first_key(issued), block, tile.k, tile.v, &shared.full[stage][warp], policy);
    block = loader.find(first_key(++issued));
  };
  // The stages, with tiles that end at `end` at the latest. Not unrolled: a kernel's first instructions are
  // as slow to come as its first data.
  const auto fill = [&](int end) {
#pragma unroll 1
    while (issued < count && issued < stages && first_key(issued) + keys <= end) load(issued);
  };
  const int all = INT_MAX;
  const bool newest = appends && part.part == part.of - 1;
  std::int64_t newest_block = 0;
  if constexpr (appends) {
    // All that the cache is read for is of earlier steps: nothing has to wait for the kernel before.
    if (newest) newest_block = loader.table[s.cached >> loader.shift];
    const FreshRows<D, threads, most_rows> mine(a, fresh, s, kv_head);
    fill(all);
    wait_for_earlier();
    mine.take(newest, shared.fresh[0]);
    __syncthreads();
  } else {
    // What earlier steps wrote may be fetched before the kernel that writes this step's keys has ended.
    fill(s.cached);
    wait_for_earlier();
    fill(all);
  }
  using Rows = std::conditional_t<Eight, EightRows<D>, SixteenRows<Element, D, keys>>;
  Rows work(a, s, [&](int row) -> const Bf16* {
    if constexpr (appends) return shared.fresh[row];
    return a.q.data + (s.row + row / group) * a.q.stride + (kv_head * group + row % group) * D;
  });
  for (int i = 0, stage = 0, turn = 0; i < count; ++i) {
    wait(&shared.full[stage][warp], turn);
    Tile<Element, D>& tile = tiles_there[stage * warps + warp];
    if constexpr (appends) {
      if (newest && s.cached / keys == first_key(i) / keys)
        append<Element, D, keys>(a.cache, newest_block, kv_head, s.cached, shared.fresh[group], D + 8, tile.k,
                                 tile.v);
    }
    work.attend(tile.k, tile.v, first_key(i), a.scale * log2_e);
    __syncwarp();
    if (issued < count) load(stage);
    if (++stage == stages) {
      stage = 0;
      turn ^= 1;
    }
  }
  __syncthreads();
  constexpr int stride = D + 4;  // keeps rows apart in the banks
  static_assert(least_stages<Element, D, most_rows> * Shares<Element, D, most_rows>::stage >=
                sizeof(float) * warps * most_rows * stride);
  auto* outputs = reinterpret_cast<float*>(tiles_there);  // [warps][rows][stride]
  work.write(rows, shared.top[warp], shared.sum[warp], outputs + warp * rows * stride, stride);
  __syncthreads();
  const BlockPart<D, warps, most_rows, stride> found{.a = a,
                                                     .split = split,
                                                     .part = part,
                                                     .outputs = outputs,
                                                     .tops = shared.top,
                                                     .sums = shared.sum,
                                                     .kv_head = kv_head,
                                                     .group = group,
                                                     .rows = rows,
                                                     .pairs = rows * D / 2};
  if (part.of == 1) {
    found.alone();
  } else if (clustered) {
    found.in_cluster(received);
  } else {
    found.in_memory(reinterpret_cast<float2*>(tiles_there), shared.last);
  }
#endif
}

/// One of the kernels that are compiled.
template <class Of, int D, bool AtMostEight>
struct Compiled {
  using Element = Of;
  static constexpr int head_dim = D, most_rows = AtMostEight ? 8 : static_cast<int>(decode_rows);
  static constexpr bool eight = AtMostEight;
  using Memory = Shares<Element, D, most_rows>;
};

/// Calls f with that for the cache and so many rows of queries.
template <class F>
void compiled(const KvCache& c, std::int64_t rows, F f) {
  if (c.element == CacheElement::fp8) {
    c.head_dim == 64 ? f(Compiled<Fp8, 64, false>{}) : f(Compiled<Fp8, 128, false>{});
  } else if (rows <= 8) {
    c.head_dim == 64 ? f(Compiled<Bf16, 64, true>{}) : f(Compiled<Bf16, 128, true>{});
  } else {
    c.head_dim == 64 ? f(Compiled<Bf16, 64, false>{}) : f(Compiled<Bf16, 128, false>{});
  }
}

template <class Kernel, class Fresh>
void start(Kernel, const AttentionArguments& a, const Fresh& fresh, std::int64_t count, DecodeSplit split,
           const Queue& queue) {
  using Memory = Kernel::Memory;
  using Element = Kernel::Element;
  constexpr int D = Kernel::head_dim, rows = Kernel::most_rows;
  // The last block to end has the shares of all parts in the memory of its stages.
  static_assert(least_stages<Element, D, rows> * Memory::stage >= most_decode_splits * sizeof(float2) * rows);
  const bool listed = split.parts != nullptr;
  const dim3 grid(static_cast<unsigned>(listed ? 1 : split.splits), static_cast<unsigned>(a.cache.kv_heads),
                  static_cast<unsigned>(listed ? split.part_count : count));
  const bool clustered = !listed && in_clusters(count * a.cache.kv_heads, split.splits, queue.processors);
  constexpr auto most_of_clusters = static_cast<int>(resident_clustered_blocks);
  static_assert(Memory(most_of_clusters, sizeof(Received<D, rows>)).stages >= least_stages<Element, D, rows>);
  static_assert(Memory::shares_out(most_resident<D>, 0) &&
                Memory::shares_out(most_of_clusters, sizeof(Received<D, rows>)));
  const Memory shared(std::clamp(split.resident, 1, clustered ? most_of_clusters : most_resident<D>),
                      clustered ? sizeof(Received<D, rows>) : 0);
  launch_clusters(queue, clustered ? grid.x : 1, &decode<Element, D, Fresh, Kernel::eight>, grid, threads,
                  shared.bytes, a, fresh, split, shared.stages, clustered);
}

}  // namespace

void attention_decode(const AttentionArguments& a, std::int64_t count, std::int64_t rows,
                      const DecodeSplit& split, const Queue& queue) {
  compiled(a.cache, rows, [&](auto kernel) { start(kernel, a, NoneFresh{}, count, split, queue); });
}

void attention_decode_fresh(const AttentionArguments& a, const FreshArguments& fresh, std::int64_t count,
                            const DecodeSplit& split, const Queue& queue) {
  compiled(a.cache, a.heads / a.cache.kv_heads,
           [&](auto kernel) { start(kernel, a, fresh, count, split, queue); });
}

}  // namespace inferometer::cuda
