#pragma once
#include "executor/cuda/kernels/attention_tiles.cuh"
#include "model/decode_time.hpp"

// What parts of a sequence's keys gave, put together: of the warps of a block, of the blocks of a cluster, or
// of any blocks through memory. Each part is relative to its own maximum.
namespace inferometer::cuda {

/// Splits of a pair that form a cluster, and combine their parts without a detour through memory.
constexpr int most_clustered = static_cast<int>(most_clustered_splits);

/// What a block of a cluster is sent by all its blocks, itself included.
template <int D, int Rows>
struct Received {
  float2 shares[most_clustered][Rows];           ///< of each row: maximum, sum
  float2 values[Rows * D / 2 + most_clustered];  ///< [block][pair of columns that this block stores]
  std::uint64_t whole;                           ///< all of that is there
};

#ifdef INFEROMETER_HOPPER

/// Part x of sequence z.
__device__ __forceinline__ DecodePart part_of(const AttentionArguments& a) {
  const auto index = static_cast<std::int32_t>(blockIdx.z), of = static_cast<std::int32_t>(gridDim.x);
  return {a.sequences[index], index, static_cast<std::int32_t>(blockIdx.x), of, index * of};
}

/// Tells the cluster that this block may be sent to, before anything that takes time.
template <int D, int Rows>
__device__ __forceinline__ void announce(Received<D, Rows>& received) {
  if (threadIdx.x == 0) {
    init_barrier(&received.whole, 1);
    publish_barriers();
  }
  __syncwarp();
  arrive_at_cluster();
}

/// A block's rows, at most Rows, of one key head of one sequence, as its Warps warps left them in shared
/// memory.
template <int D, int Warps, int Rows, int Stride = D>
struct BlockPart {
  static constexpr int threads = Warps * 32;
  const AttentionArguments& a;
  const DecodeSplit& split;
  const DecodePart& part;
  const float* outputs;  ///< [Warps][rows][Stride], of which D
  const float (*tops)[Rows];
  const float (*sums)[Rows];
  int kv_head, group, rows, pairs;  ///< pairs of columns, of all rows

  __device__ __forceinline__ float sink(int row) const {
    return a.sinks == nullptr ? -INFINITY : a.sinks[kv_head * group + row % group] * log2_e;
  }
  __device__ __forceinline__ void store(int row, int column, float2 value, float scale) const {
    Bf16* y = a.y.data + (part.sequence.row + row / group) * a.y.stride +
              (kv_head * group + row % group) * D + column;
    *reinterpret_cast<unsigned*>(y) = pack(value.x * scale, value.y * scale);
  }
  /// The warps' parts of two columns together: values relative to the common maximum.
  __device__ __forceinline__ float2 merged(int row, int column, float& top, float& sum) const {
    top = tops[0][row];
#pragma unroll
    for (int w = 1; w < Warps; ++w) top = fmaxf(top, tops[w][row]);
    float2 value{0, 0};
    sum = 0;
#pragma unroll
    for (int w = 0; w < Warps; ++w) {
      if (top == -INFINITY) break;
      const float weight = power_of_two(tops[w][row] - top);
      const float2 v = *reinterpret_cast<const float2*>(outputs + (w * rows + row) * Stride + column);
      sum += weight * sums[w][row];
      value.x += weight * v.x;
      value.y += weight * v.y;
    }
    return value;
  }

  __device__ __forceinline__ void alone() const {
    for (int i = static_cast<int>(threadIdx.x); i < pairs; i += threads) {
      const int row = i / (D / 2), column = i % (D / 2) * 2;
      float top = 0, sum = 0;
      const float2 value = merged(row, column, top, sum);
      const float all = fmaxf(top, sink(row)), scale = power_of_two(top - all);
      store(row, column, value, scale / (sum * scale + power_of_two(sink(row) - all)));
    }
  }

  /// Each block stores every splits-th pair of columns, of which all send it their parts. It has nothing to
  /// wait for but these: then nobody writes to its shared memory any more, and it may end.
  /// requires that all blocks have announced `received`
  __device__ __forceinline__ void in_cluster(Received<D, Rows>& received) const {
    const int splits = part.of, self = part.part, each = (pairs + splits - 1) / splits,
              mine = (pairs - self + splits - 1) / splits;
    wait_for_cluster();
    if (threadIdx.x == 0)
      expect_bytes(&received.whole, static_cast<unsigned>(splits * (mine + rows)) * sizeof(float2));
    for (int i = static_cast<int>(threadIdx.x); i < pairs; i += threads) {
      const int row = i / (D / 2), column = i % (D / 2) * 2;
      float2 share{0, 0};
      const float2 value = merged(row, column, share.x, share.y);
      send(received.values + self * each + i / splits, &received.whole, static_cast<unsigned>(i % splits),
           value);
      // The columns' threads share the work of telling every block.
      if (column / 2 < splits)
        send(&received.shares[self][row], &received.whole, static_cast<unsigned>(column / 2), share);
    }
    wait_for_neighbours(&received.whole, 0);
    for (int i = static_cast<int>(threadIdx.x) * splits + self; i < pairs; i += threads * splits) {
      const int row = i / (D / 2), column = i % (D / 2) * 2;
      float all = sink(row);
#pragma unroll
      for (int p = 0; p < most_clustered; ++p) {
        if (p < splits) all = fmaxf(all, received.shares[p][row].x);
      }
      float total = power_of_two(sink(row) - all);
      float2 value{0, 0};
#pragma unroll
      for (int p = 0; p < most_clustered; ++p) {
        if (p >= splits) break;
        const float2 share = received.shares[p][row], v = received.values[p * each + i / splits];
        const float weight = power_of_two(share.x - all);
        total += weight * share.y;
        value.x += weight * v.x;
        value.y += weight * v.y;
      }
      store(row, column, value, 1.0F / total);
    }
  }

  /// Parts [Rows][D + 2] (values, maximum, sum) go to memory; the last block to end puts them together.
  /// shares [parts][rows]: room in shared memory where no part lies any more
  __device__ __forceinline__ void in_memory(float2* shares, unsigned& last) const {
    const int splits = part.of, thread = static_cast<int>(threadIdx.x);
    const std::int64_t kv_heads = a.cache.kv_heads, pair = part.index * kv_heads + kv_head,
                       step = kv_heads * Rows * (D + 2);
    float* parts = split.partial + part.first * step + static_cast<std::int64_t>(kv_head) * Rows * (D + 2);
    float* mine = parts + part.part * step;
    for (int i = thread; i < pairs; i += threads) {
      const int row = i / (D / 2), column = i % (D / 2) * 2;
      float2 share{0, 0};
      __stcg(reinterpret_cast<float2*>(mine + row * (D + 2) + column), merged(row, column, share.x, share.y));
      if (column == 0) __stcg(reinterpret_cast<float2*>(mine + row * (D + 2) + D), share);
    }
    __threadfence();
    __syncthreads();
    if (thread == 0) last = atomicAdd(split.tickets + pair, 1U) + 1U == static_cast<unsigned>(splits);
    __syncthreads();
    if (last == 0) return;
    __threadfence();
    // Each part's share of its row, then the shares' sum: two rounds of independent loads.
    for (int i = thread; i < splits * rows; i += threads)
      shares[i] = __ldcg(reinterpret_cast<const float2*>(parts + i / rows * step + i % rows * (D + 2) + D));
    __syncthreads();
    for (int row = thread / 32; row < rows; row += Warps) weigh_shares(shares, row);
    __syncthreads();
    for (int i = thread; i < pairs; i += threads) {
      const int row = i / (D / 2), column = i % (D / 2) * 2;
      const float* from = parts + row * (D + 2) + column;
      float2 value{0, 0};
#pragma unroll 8
      for (int p = 0; p < splits; ++p) {
        const float2 v = __ldcg(reinterpret_cast<const float2*>(from + p * step));
        value.x += shares[p * rows + row].x * v.x;
        value.y += shares[p * rows + row].x * v.y;
      }
      store(row, column, value, 1.0F);
    }
    if (thread == 0) split.tickets[pair] = 0;
  }
  /// Of a row: the parts' maxima become their weights, by one warp.
  __device__ __forceinline__ void weigh_shares(float2* shares, int row) const {
    const int lane = static_cast<int>(threadIdx.x) % 32;
    float all = -INFINITY, total = 0;
    for (int p = lane; p < part.of; p += 32) all = fmaxf(all, shares[p * rows + row].x);
    all = fmaxf(warp_max(all), sink(row));
    for (int p = lane; p < part.of; p += 32) {
      float2& share = shares[p * rows + row];
      share.x = power_of_two(share.x - all);
      total += share.x * share.y;
    }
    total = warp_sum(total) + power_of_two(sink(row) - all);
    for (int p = lane; p < part.of; p += 32) shares[p * rows + row].x /= total;
  }
};

#endif

}  // namespace inferometer::cuda
