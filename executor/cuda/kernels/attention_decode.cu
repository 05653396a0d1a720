#include "executor/cuda/kernels/attention_mma.cuh"

namespace inferometer::cuda {
namespace {

constexpr int warps = 4, threads = warps * 32, keys = 16, stages = 3;

template <int D>
struct Stage {
  Bf16 k[keys * D], v[keys * D];
};
/// Stages are used again for what the warps found, once all keys are read.
template <int D>
struct Shared {
  alignas(128) Stage<D> stage[warps][stages];
  alignas(8) std::uint64_t full[warps][stages];
  float top[warps][decode_rows], sum[warps][decode_rows];
  unsigned last;
};

/// Splits of a pair that form a cluster, and combine their parts without a detour through memory.
constexpr int most_clustered = 8;

/// Block (split, kv_head, sequence). Each warp streams its own tiles of 16 keys through its own stages.
template <int D>
__global__ void __launch_bounds__(threads) decode(AttentionArguments a, DecodeSplit split, bool clustered) {
#ifdef INFEROMETER_HOPPER
  extern __shared__ __align__(128) unsigned char memory[];
  auto& shared = *reinterpret_cast<Shared<D>*>(memory);
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, kv_head = blockIdx.y;
  allow_next();
  if (lane == 0) {
    for (int s = 0; s < stages; ++s) init_barrier(&shared.full[warp][s], 1);
    publish_barriers();
  }
  __syncwarp();
  const Sequence s = a.sequences[blockIdx.z];
  const int group = a.heads / a.cache.kv_heads, rows = s.fresh * group, total = s.cached + s.fresh;
  const int hidden = a.window > 0 && s.cached >= a.window ? s.cached - a.window + 1 : 0;
  const int low = hidden / keys, tiles = (total + keys - 1) / keys - low;
  const int from = low + tiles * static_cast<int>(blockIdx.x) / split.splits,
            to = low + tiles * (static_cast<int>(blockIdx.x) + 1) / split.splits;
  const int count = from + warp < to ? (to - from - warp + warps - 1) / warps : 0;
  const TileLoader loader(a, s, keys);
  const auto first_key = [&](int i) { return (from + warp + i * warps) * keys; };
  const auto load = [&](int i) {
    Stage<D>& stage = shared.stage[warp][i % stages];
    loader.load<D, keys>(kv_head, first_key(i), stage.k, stage.v, &shared.full[warp][i % stages]);
  };
  // What earlier steps wrote may be fetched before the kernel that writes this step's keys has ended.
  int issued = 0;
  while (issued < count && issued < stages && first_key(issued) + keys <= s.cached) load(issued++);
  wait_for_earlier();
  while (issued < count && issued < stages) load(issued++);
  SixteenRows<D, keys> work(a, s, kv_head, 0);
  for (int i = 0; i < count; ++i) {
    wait(&shared.full[warp][i % stages], i / stages % 2);
    const Stage<D>& stage = shared.stage[warp][i % stages];
    work.attend(stage.k, stage.v, first_key(i), a.scale * log2_e);
    __syncwarp();
    if (i + stages < count) load(i + stages);
  }
  work.finish();
  __syncthreads();
  auto* outputs = reinterpret_cast<float*>(shared.stage);  // [warps][16][D]
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    const int row = lane / 4 + 8 * i;
    if (lane % 4 == 0) {
      shared.top[warp][row] = work.top[i];
      shared.sum[warp][row] = work.sum[i];
    }
#pragma unroll
    for (int j = 0; j < D / 8; ++j) {
      *reinterpret_cast<float2*>(outputs + (warp * 16 + row) * D + j * 8 + lane % 4 * 2) =
          make_float2(work.o[j][2 * i], work.o[j][2 * i + 1]);
    }
  }
  __syncthreads();
  const auto sink = [&](int row) {
    return a.sinks == nullptr ? -INFINITY : a.sinks[kv_head * group + row % group] * log2_e;
  };
  const auto store = [&](int row, int column, float2 value, float scale) {
    Bf16* y = a.y.data + (s.row + row / group) * a.y.stride + (kv_head * group + row % group) * D + column;
    *reinterpret_cast<unsigned*>(y) = pack(value.x * scale, value.y * scale);
  };
  // The warps' parts of a row together: values relative to the common maximum.
  const int pairs = rows * D / 2;
  const auto of_block = [&](int row, int column, float& top, float& sum) {
    top = fmaxf(fmaxf(shared.top[0][row], shared.top[1][row]), fmaxf(shared.top[2][row], shared.top[3][row]));
    float2 value{0, 0};
    sum = 0;
    for (int w = 0; w < warps && top > -INFINITY; ++w) {
      const float weight = power_of_two(shared.top[w][row] - top);
      const float2 v = *reinterpret_cast<const float2*>(outputs + (w * 16 + row) * D + column);
      sum += weight * shared.sum[w][row];
      value.x += weight * v.x;
      value.y += weight * v.y;
    }
    return value;
  };
  float top = 0, sum = 0;
  if (split.splits == 1) {
    for (int i = threadIdx.x; i < pairs; i += threads) {
      const int row = i / (D / 2), column = i % (D / 2) * 2;
      const float2 value = of_block(row, column, top, sum);
      const float all = fmaxf(top, sink(row)), scale = power_of_two(top - all);
      store(row, column, value, scale / (sum * scale + power_of_two(sink(row) - all)));
    }
    return;
  }
  if (clustered) {
    // A part [16][D + 2]: values, maximum, sum. Each block combines some of the columns.
    float* merged = outputs + warps * 16 * D;
    for (int i = threadIdx.x; i < pairs; i += threads) {
      const int row = i / (D / 2), column = i % (D / 2) * 2;
      *reinterpret_cast<float2*>(merged + row * (D + 2) + column) = of_block(row, column, top, sum);
      if (column == 0) *reinterpret_cast<float2*>(merged + row * (D + 2) + D) = make_float2(top, sum);
    }
    meet_cluster();
    for (int i = threadIdx.x * split.splits + blockIdx.x; i < pairs; i += threads * split.splits) {
      const int row = i / (D / 2), column = i % (D / 2) * 2;
      float2 shares[most_clustered], values[most_clustered];
      float all = sink(row);
#pragma unroll
      for (int p = 0; p < most_clustered; ++p) {
        if (p >= split.splits) break;
        shares[p] = read_neighbour(merged + row * (D + 2) + D, static_cast<unsigned>(p));
        values[p] = read_neighbour(merged + row * (D + 2) + column, static_cast<unsigned>(p));
        all = fmaxf(all, shares[p].x);
      }
      float total = power_of_two(sink(row) - all);
      float2 value{0, 0};
#pragma unroll
      for (int p = 0; p < most_clustered; ++p) {
        if (p >= split.splits) break;
        const float weight = power_of_two(shares[p].x - all);
        total += weight * shares[p].y;
        value.x += weight * values[p].x;
        value.y += weight * values[p].y;
      }
      store(row, column, value, 1.0F / total);
    }
    meet_cluster();  // nobody leaves while its part is read
    return;
  }
  // A part [16][D + 2]: values, maximum, sum.
  constexpr int part = 16 * (D + 2);
  const std::int64_t pair = static_cast<std::int64_t>(blockIdx.z) * a.cache.kv_heads + kv_head;
  float* parts = split.partial + pair * split.splits * part;
  float* mine = parts + static_cast<std::int64_t>(blockIdx.x) * part;
  for (int i = threadIdx.x; i < pairs; i += threads) {
    const int row = i / (D / 2), column = i % (D / 2) * 2;
    __stcg(reinterpret_cast<float2*>(mine + row * (D + 2) + column), of_block(row, column, top, sum));
    if (column == 0) __stcg(reinterpret_cast<float2*>(mine + row * (D + 2) + D), make_float2(top, sum));
  }
  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0)
    shared.last = atomicAdd(split.tickets + pair, 1U) + 1U == static_cast<unsigned>(split.splits);
  __syncthreads();
  if (!shared.last) return;
  __threadfence();
  // Each part's share of its row, then the shares' sum: two rounds of independent loads.
  auto* shares = reinterpret_cast<float2*>(shared.stage);  // [splits][rows]: maximum, sum
  for (int i = threadIdx.x; i < split.splits * rows; i += threads)
    shares[i] = __ldcg(reinterpret_cast<const float2*>(parts + i / rows * part + i % rows * (D + 2) + D));
  __syncthreads();
  for (int row = warp; row < rows; row += warps) {
    float all = -INFINITY, total = 0;
    for (int p = lane; p < split.splits; p += 32) all = fmaxf(all, shares[p * rows + row].x);
    all = fmaxf(warp_max(all), sink(row));
    for (int p = lane; p < split.splits; p += 32) {
      float2& share = shares[p * rows + row];
      share.x = power_of_two(share.x - all);
      total += share.x * share.y;
    }
    total = warp_sum(total) + power_of_two(sink(row) - all);
    for (int p = lane; p < split.splits; p += 32) shares[p * rows + row].x /= total;
  }
  __syncthreads();
  for (int i = threadIdx.x; i < pairs; i += threads) {
    const int row = i / (D / 2), column = i % (D / 2) * 2;
    const float* from = parts + row * (D + 2) + column;
    float2 value{0, 0};
#pragma unroll 8
    for (int p = 0; p < split.splits; ++p) {
      const float2 v = __ldcg(reinterpret_cast<const float2*>(from + p * part));
      value.x += shares[p * rows + row].x * v.x;
      value.y += shares[p * rows + row].x * v.y;
    }
    store(row, column, value, 1.0F);
  }
  if (threadIdx.x == 0) split.tickets[pair] = 0;
#endif
}

}  // namespace

int decode_occupancy(std::int32_t head_dim) {
  int blocks = 0;
  if (head_dim == 64) {
    cudaFuncSetAttribute(&decode<64>, cudaFuncAttributeMaxDynamicSharedMemorySize, sizeof(Shared<64>));
    cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, &decode<64>, threads, sizeof(Shared<64>));
  } else {
    cudaFuncSetAttribute(&decode<128>, cudaFuncAttributeMaxDynamicSharedMemorySize, sizeof(Shared<128>));
    cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, &decode<128>, threads, sizeof(Shared<128>));
  }
  return blocks;
}

void attention_decode(const AttentionArguments& a, std::int64_t count, const DecodeSplit& split,
                      const Queue& queue) {
  const dim3 grid(static_cast<unsigned>(split.splits), static_cast<unsigned>(a.cache.kv_heads),
                  static_cast<unsigned>(count));
  // Clusters must all run at once to be worth waiting for.
  const bool clustered = split.splits > 1 && split.splits <= most_clustered &&
                         grid.x * grid.y * grid.z <= static_cast<unsigned>(queue.processors);
  const unsigned cluster = clustered ? grid.x : 1;
  if (a.cache.head_dim == 64) {
    launch_clusters(queue, cluster, &decode<64>, grid, threads, sizeof(Shared<64>), a, split, clustered);
  } else {
    launch_clusters(queue, cluster, &decode<128>, grid, threads, sizeof(Shared<128>), a, split, clustered);
  }
}

}  // namespace inferometer::cuda
