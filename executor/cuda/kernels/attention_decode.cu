#include <algorithm>
#include <climits>
#include <type_traits>

#include "executor/cuda/kernels/attention_combine.cuh"
#include "executor/cuda/kernels/attention_eight.cuh"
#include "executor/cuda/kernels/attention_fresh.cuh"
#include "executor/cuda/kernels/attention_mma.cuh"

namespace inferometer::cuda {
namespace {

constexpr int warps = 4, threads = warps * 32, keys = 16;
/// Some read while others begin or end.
template <int D>
constexpr int blocks_a_multiprocessor = D == 64 ? 4 : 3;

template <class Element, int D>
struct Stage {
  Element k[keys * D], v[keys * D];
};
/// Stages are used again for what the warps found, once all keys are read.
template <class Element, int D, int Rows>
struct Shared {
  static constexpr int stages = sizeof(Stage<Element, D>) > 4096 ? 2 : 3;
  alignas(128) Stage<Element, D> stage[warps][stages];
  alignas(16) Bf16 fresh[Rows + 2][D + 8];
  alignas(8) std::uint64_t full[warps][stages];
  float top[warps][Rows], sum[warps][Rows];
  unsigned last;
};

/// What a kernel without new keys has in the place of FreshArguments.
struct NoneFresh {};

/// Block (split, kv_head, sequence). Each warp streams its own tiles of 16 keys through its own stages.
/// Eight: no sequence has more rows of queries than that.
template <class Element, int D, class Fresh, bool Eight>
__global__ void __launch_bounds__(threads, blocks_a_multiprocessor<D>)
    decode(AttentionArguments a, Fresh fresh, DecodeSplit split, bool clustered) {
#ifdef INFEROMETER_HOPPER
  constexpr bool appends = std::is_same_v<Fresh, FreshArguments>;
  constexpr int most_rows = Eight ? 8 : static_cast<int>(decode_rows);
  extern __shared__ __align__(128) unsigned char memory[];
  using Memory = Shared<Element, D, most_rows>;
  constexpr int stages = Memory::stages;
  auto& shared = *reinterpret_cast<Memory*>(memory);
  auto& received = *reinterpret_cast<Received<D, most_rows>*>(memory + sizeof(Memory));
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, kv_head = blockIdx.y;
  const Sequence s = a.sequences[blockIdx.z];
  allow_next();
  if (clustered) announce(received);
  if (lane == 0) {
    for (int s = 0; s < stages; ++s) init_barrier(&shared.full[warp][s], 1);
    publish_barriers();
  }
  __syncwarp();
  const int group = a.heads / a.cache.kv_heads, rows = s.fresh * group, total = s.cached + s.fresh;
  const int hidden = a.window > 0 && s.cached >= a.window ? s.cached - a.window + 1 : 0;
  const int low = hidden / keys, tiles = (total + keys - 1) / keys - low;
  const int from = low + tiles * static_cast<int>(blockIdx.x) / split.splits,
            to = low + tiles * (static_cast<int>(blockIdx.x) + 1) / split.splits;
  const int count = from + warp < to ? (to - from - warp + warps - 1) / warps : 0;
  const TileLoader loader(a, s, keys);
  const auto first_key = [&](int i) { return (from + warp + i * warps) * keys; };
  const auto load = [&](int i) {
    Stage<Element, D>& stage = shared.stage[warp][i % stages];
    loader.load<D, keys>(kv_head, first_key(i), stage.k, stage.v, &shared.full[warp][i % stages]);
  };
  int issued = 0;
  const auto fill = [&](int end) {  // the stages, with tiles that end at `end` at the latest
    while (issued < count && issued < stages && first_key(issued) + keys <= end) load(issued++);
  };
  const int all = INT_MAX;
  const bool newest = appends && static_cast<int>(blockIdx.x) == split.splits - 1;
  std::int64_t newest_block = 0;
  if constexpr (appends) {
    // All that the cache is read for is of earlier steps: nothing has to wait for the kernel before.
    if (newest) newest_block = loader.table[s.cached / a.cache.block_tokens];
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
  for (int i = 0; i < count; ++i) {
    wait(&shared.full[warp][i % stages], i / stages % 2);
    Stage<Element, D>& stage = shared.stage[warp][i % stages];
    if constexpr (appends) {
      if (newest && s.cached / keys == first_key(i) / keys)
        append<Element, D, keys>(a.cache, newest_block, kv_head, s.cached, shared.fresh[group], D + 8,
                                 stage.k, stage.v);
    }
    work.attend(stage.k, stage.v, first_key(i), a.scale * log2_e);
    __syncwarp();
    if (i + stages < count) load(i + stages);
  }
  __syncthreads();
  constexpr int stride = D + 4;  // keeps rows apart in the banks
  static_assert(sizeof(shared.stage) >= sizeof(float) * warps * most_rows * stride);
  auto* outputs = reinterpret_cast<float*>(shared.stage);  // [warps][rows][stride]
  work.write(rows, shared.top[warp], shared.sum[warp], outputs + warp * rows * stride, stride);
  __syncthreads();
  const BlockPart<D, warps, most_rows, stride> part{.a = a,
                                                    .s = s,
                                                    .split = split,
                                                    .outputs = outputs,
                                                    .tops = shared.top,
                                                    .sums = shared.sum,
                                                    .kv_head = kv_head,
                                                    .group = group,
                                                    .rows = rows,
                                                    .pairs = rows * D / 2};
  if (split.splits == 1) {
    part.alone();
  } else if (clustered) {
    part.in_cluster(received);
  } else {
    part.in_memory(reinterpret_cast<float2*>(shared.stage), shared.last);
  }
#endif
}

/// One of the kernels that are compiled.
template <class Of, int D, bool AtMostEight>
struct Compiled {
  using Element = Of;
  static constexpr int head_dim = D, most_rows = AtMostEight ? 8 : static_cast<int>(decode_rows);
  static constexpr bool eight = AtMostEight;
  using Memory = Shared<Element, D, most_rows>;
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
  // The last block to end has the shares of all parts in the memory of its stages.
  split.splits = std::min(split.splits, static_cast<std::int32_t>(sizeof(Memory::stage) /
                                                                  (2 * sizeof(float) * Kernel::most_rows)));
  const dim3 grid(static_cast<unsigned>(split.splits), static_cast<unsigned>(a.cache.kv_heads),
                  static_cast<unsigned>(count));
  // Clusters must all run at once to be worth waiting for.
  const bool clustered = grid.x > 1 && grid.x <= most_clustered &&
                         grid.x * grid.y * grid.z <= static_cast<unsigned>(queue.processors);
  using Sent = Received<Kernel::head_dim, Kernel::most_rows>;
  launch_clusters(queue, clustered ? grid.x : 1,
                  &decode<typename Kernel::Element, Kernel::head_dim, Fresh, Kernel::eight>, grid, threads,
                  sizeof(Memory) + (clustered ? sizeof(Sent) : 0), a, fresh, split, clustered);
}

}  // namespace

std::int64_t resident_decode_blocks(const KvCache& cache, std::int64_t rows, bool appends) {
  int blocks = 0;
  compiled(cache, rows, [&](auto compiled_for) {
    using Kernel = decltype(compiled_for);
    const auto ask = [&](auto kernel) {
      constexpr std::size_t shared = sizeof(typename Kernel::Memory);
      // Never less than what a kernel may have unasked: launches in clusters take more than this.
      cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                           std::max(static_cast<int>(shared), unasked_shared));
      cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, kernel, threads, shared);
    };
    using Element = Kernel::Element;
    if (appends) {
      ask(&decode<Element, Kernel::head_dim, FreshArguments, Kernel::eight>);
    } else {
      ask(&decode<Element, Kernel::head_dim, NoneFresh, Kernel::eight>);
    }
  });
  return std::max(blocks, 1);
}

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
