#include <algorithm>
#include <climits>
#include <type_traits>

#include "executor/cuda/kernels/attention_combine.cuh"
#include "executor/cuda/kernels/attention_fresh.cuh"
#include "executor/cuda/kernels/attention_mma.cuh"

namespace inferometer::cuda {
namespace {

constexpr int warps = 4, threads = warps * 32, keys = 16, stages = 2;
/// A third is on its way while two others begin or end.
constexpr int blocks_a_multiprocessor = 3;

template <class Element, int D>
struct Stage {
  Element k[keys * D], v[keys * D];
};
/// Stages are used again for what the warps found, once all keys are read.
template <class Element, int D>
struct Shared {
  alignas(128) Stage<Element, D> stage[warps][stages];
  alignas(16) Bf16 fresh[decode_rows + 2][D + 8];
  alignas(8) std::uint64_t full[warps][stages];
  float top[warps][decode_rows], sum[warps][decode_rows];
  unsigned last;
};
constexpr int most_rows = static_cast<int>(decode_rows);

/// What a kernel without new keys has in the place of FreshArguments.
struct NoneFresh {};

/// Block (split, kv_head, sequence). Each warp streams its own tiles of 16 keys through its own stages.
template <class Element, int D, class Fresh>
__global__ void __launch_bounds__(threads, blocks_a_multiprocessor)
    decode(AttentionArguments a, Fresh fresh, DecodeSplit split, bool clustered) {
#ifdef INFEROMETER_HOPPER
  constexpr bool appends = std::is_same_v<Fresh, FreshArguments>;
  extern __shared__ __align__(128) unsigned char memory[];
  auto& shared = *reinterpret_cast<Shared<Element, D>*>(memory);
  auto& received = *reinterpret_cast<Received<D, most_rows>*>(memory + sizeof(Shared<Element, D>));
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
    const FreshRows<D, threads> mine(a, fresh, s, kv_head);
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
  SixteenRows<Element, D, keys> work(a, s, 0, [&](int row) -> const Bf16* {
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
  work.finish();
  __syncthreads();
  static_assert(sizeof(shared.stage) >= sizeof(float) * warps * decode_rows * D);
  auto* outputs = reinterpret_cast<float*>(shared.stage);  // [warps][rows][D]
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    const int row = lane / 4 + 8 * i;
    if (row >= rows) continue;
    if (lane % 4 == 0) {
      shared.top[warp][row] = work.top[i];
      shared.sum[warp][row] = work.sum[i];
    }
    work.write(i, outputs + (warp * rows + row) * D);
  }
  __syncthreads();
  const BlockPart<D, warps, most_rows> part{.a = a,
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

template <class Element, int D, class Fresh>
void start(const AttentionArguments& a, const Fresh& fresh, std::int64_t count, DecodeSplit split,
           const Queue& queue) {
  using Memory = Shared<Element, D>;
  // The last block to end has the shares of all parts in the memory of its stages.
  split.splits = std::min(
      split.splits, static_cast<std::int32_t>(sizeof(Memory::stage) / (2 * sizeof(float) * decode_rows)));
  const dim3 grid(static_cast<unsigned>(split.splits), static_cast<unsigned>(a.cache.kv_heads),
                  static_cast<unsigned>(count));
  // Clusters must all run at once to be worth waiting for.
  const bool clustered = grid.x > 1 && grid.x <= most_clustered &&
                         grid.x * grid.y * grid.z <= static_cast<unsigned>(queue.processors);
  launch_clusters(queue, clustered ? grid.x : 1, &decode<Element, D, Fresh>, grid, threads,
                  sizeof(Memory) + (clustered ? sizeof(Received<D, most_rows>) : 0), a, fresh, split,
                  clustered);
}

/// Calls f with the cache's element and the width of its heads as types.
template <class F>
void compiled(const KvCache& c, F f) {
  const auto of_element = [&](auto element) {
    if (c.head_dim == 64) {
      f(element, std::integral_constant<int, 64>{});
    } else {
      f(element, std::integral_constant<int, 128>{});
    }
  };
  if (c.element == CacheElement::fp8) {
    of_element(Fp8{});
  } else {
    of_element(Bf16{});
  }
}

}  // namespace

std::int64_t resident_decode_blocks(const KvCache& cache, bool appends) {
  int blocks = 0;
  compiled(cache, [&](auto element, auto width) {
    using Memory = Shared<decltype(element), decltype(width)::value>;
    const auto ask = [&](auto kernel) {
      // Never less than what a kernel may have unasked: launches in clusters take more than this.
      cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                           std::max(static_cast<int>(sizeof(Memory)), unasked_shared));
      cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, kernel, threads, sizeof(Memory));
    };
    if (appends) {
      ask(&decode<decltype(element), decltype(width)::value, FreshArguments>);
    } else {
      ask(&decode<decltype(element), decltype(width)::value, NoneFresh>);
    }
  });
  return std::max(blocks, 1);
}

void attention_decode(const AttentionArguments& a, std::int64_t count, const DecodeSplit& split,
                      const Queue& queue) {
  compiled(a.cache, [&](auto element, auto width) {
    start<decltype(element), decltype(width)::value>(a, NoneFresh{}, count, split, queue);
  });
}

void attention_decode_fresh(const AttentionArguments& a, const FreshArguments& fresh, std::int64_t count,
                            const DecodeSplit& split, const Queue& queue) {
  compiled(a.cache, [&](auto element, auto width) {
    start<decltype(element), decltype(width)::value>(a, fresh, count, split, queue);
  });
}

}  // namespace inferometer::cuda
