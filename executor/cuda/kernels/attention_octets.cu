#include "executor/cuda/kernels/attention_octets.cuh"

#include "executor/cuda/kernels/attention_combine.cuh"
#include "executor/cuda/kernels/attention_fresh.cuh"

namespace inferometer::cuda {
namespace {

constexpr int D = 64, warps = 8, threads = warps * 32, most_heads = static_cast<int>(most_octet_group);
/// Registers are dealt out for more threads than there are: products beside take 88 in each of 256.
constexpr int most_threads = threads + 128;

/// How shared memory is dealt out [bytes]. All of it is under 25 KiB, which one-token products in bf16 leave
/// of a multiprocessor that they fill with weights: so keys are fetched while the product before runs, and
/// weights of the one behind while this kernel does.
struct Layout {
  /// Gaps that keep two heads' columns apart in the banks, and rows of queries.
  static constexpr int value_stride = D + 2, row_stride = D + 8;
  int values, rows;
  __host__ __device__ explicit Layout(int group)
      : values(warps * group * value_stride * static_cast<int>(sizeof(float))),
        rows((group + 2) * row_stride * static_cast<int>(sizeof(Bf16))) {}
};

/// Block (split, kv_head, sequence). Warps take turns at the split's octets, which are fetched ahead of the
/// kernel that makes the queries.
__global__ void __launch_bounds__(most_threads)
    octets(AttentionArguments a, FreshArguments fresh, DecodeSplit split, bool clustered) {
#ifdef INFEROMETER_HOPPER
  constexpr int ahead = 2;  // octets of a warp that are on their way at a time
  extern __shared__ __align__(16) unsigned char memory[];
  __shared__ float tops[warps][most_heads], sums[warps][most_heads];
  __shared__ unsigned last;
  const int warp = static_cast<int>(threadIdx.x) / 32, kv_head = static_cast<int>(blockIdx.y),
            group = a.heads / a.cache.kv_heads;
  const Layout layout(group);
  auto* values = reinterpret_cast<float*>(memory);
  auto* rows = reinterpret_cast<Bf16*>(memory + layout.values);
  auto& received = *reinterpret_cast<Received<D, most_heads>*>(memory + layout.values + layout.rows);
  allow_next();
  if (clustered) announce(received);
  const DecodePart part = part_of(a);
  const Sequence& s = part.sequence;
  const std::int32_t* table = a.blocks + s.table;
  const Visible sees{a.window > 0 && s.cached >= a.window ? s.cached - a.window + 1 : 0, s.cached};
  const int low = sees.first / 8, newest = s.cached / 8, count = newest + 1 - low;
  const int from = low + count * part.part / part.of, to = low + count * (part.part + 1) / part.of;
  // All that the cache is read for is of earlier steps: nothing has to wait for the kernel before.
  KeyOctet<D> octet[ahead];
#pragma unroll
  for (int e = 0; e < ahead; ++e) {
    const int at = from + warp + e * warps;
    if (at < to) octet[e].fetch(a.cache, table, kv_head, at);
  }
  const FreshRows<D, threads, most_heads> mine(a, fresh, s, kv_head);
  wait_for_earlier();
  mine.take(part.part == part.of - 1, rows);
  __syncthreads();
  EightHeads<D> work(rows, layout.row_stride, group);
  for (int at = from + warp; at < to; at += ahead * warps) {
#pragma unroll
    for (int e = 0; e < ahead; ++e) {
      const int now = at + e * warps, next = now + ahead * warps;
      if (now >= to) break;
      if (now == newest)
        octet[e].append(a.cache, s.cached, rows + group * layout.row_stride, layout.row_stride);
      work.attend(octet[e], now * 8, sees, a.scale * log2_e);
      if (next < to) octet[e].fetch(a.cache, table, kv_head, next);
    }
  }
  work.write(group, tops[warp], sums[warp], values + warp * group * layout.value_stride, layout.value_stride);
  __syncthreads();
  const BlockPart<D, warps, most_heads, Layout::value_stride> found{.a = a,
                                                                    .split = split,
                                                                    .part = part,
                                                                    .outputs = values,
                                                                    .tops = tops,
                                                                    .sums = sums,
                                                                    .kv_head = kv_head,
                                                                    .group = group,
                                                                    .rows = group,
                                                                    .pairs = group * D / 2};
  if (part.of == 1) {
    found.alone();
  } else if (clustered) {
    found.in_cluster(received);
  } else {
    found.in_memory(reinterpret_cast<float2*>(values), last);
  }
#endif
}

}  // namespace

void attention_octets(const AttentionArguments& a, const FreshArguments& fresh, std::int64_t count,
                      const DecodeSplit& split, const Queue& queue) {
  const Layout layout(a.heads / a.cache.kv_heads);
  const bool clustered = split.splits > 1 && split.splits <= most_clustered;
  const dim3 grid(static_cast<unsigned>(split.splits), static_cast<unsigned>(a.cache.kv_heads),
                  static_cast<unsigned>(count));
  // A multiprocessor that was set up for less shared memory takes these blocks only once it is idle.
  cudaFuncSetAttribute(&octets, cudaFuncAttributePreferredSharedMemoryCarveout,
                       cudaSharedmemCarveoutMaxShared);
  launch_clusters(queue, clustered ? grid.x : 1, &octets, grid, threads,
                  static_cast<std::size_t>(layout.values + layout.rows) +
                      (clustered ? sizeof(Received<D, most_heads>) : 0),
                  a, fresh, split, clustered);
}

}  // namespace inferometer::cuda
