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

#ifdef INFEROMETER_HOPPER
/// One row's parts become its output.   part(i): maximum (base 2), sum and value of part i
template <class Part>
__device__ __forceinline__ float combined(int parts, float sink, Part part) {
  float top = sink;
  for (int i = 0; i < parts; ++i) top = fmaxf(top, part(i, 0));
  float sum = exp2f(sink - top), value = 0;
  for (int i = 0; i < parts; ++i) {
    const float weight = exp2f(part(i, 0) - top);
    sum += weight * part(i, 1);
    value += weight * part(i, 2);
  }
  return value / sum;
}
#endif

/// Block (split, kv_head, sequence). Each warp streams its own tiles of 16 keys through its own stages.
template <int D>
__global__ void __launch_bounds__(threads) decode(AttentionArguments a, DecodeSplit split) {
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
  const auto store = [&](int row, int d, float value) {
    a.y.data[(s.row + row / group) * a.y.stride + (kv_head * group + row % group) * D + d] = to_bf16(value);
  };
  const auto of_warp = [&](int row, int d) {
    return [&shared, outputs, row, d](int w, int what) {
      return what == 0 ? shared.top[w][row] : what == 1 ? shared.sum[w][row] : outputs[(w * 16 + row) * D + d];
    };
  };
  if (split.splits == 1) {
    for (int i = threadIdx.x; i < rows * D; i += threads)
      store(i / D, i % D, combined(warps, sink(i / D), of_warp(i / D, i % D)));
    return;
  }
  // A part [16][D + 2]: values, maximum, sum, of the warps together; values are relative to the maximum.
  const std::int64_t pair = static_cast<std::int64_t>(blockIdx.z) * a.cache.kv_heads + kv_head;
  float* parts = split.partial + pair * split.splits * 16 * (D + 2);
  float* mine = parts + static_cast<std::int64_t>(blockIdx.x) * 16 * (D + 2);
  for (int i = threadIdx.x; i < rows * D; i += threads) {
    const int row = i / D, d = i % D;
    float top = -INFINITY, sum = 0, value = 0;
    for (int w = 0; w < warps; ++w) top = fmaxf(top, shared.top[w][row]);
    for (int w = 0; w < warps && top > -INFINITY; ++w) {
      const float weight = exp2f(shared.top[w][row] - top);
      sum += weight * shared.sum[w][row];
      value += weight * outputs[(w * 16 + row) * D + d];
    }
    mine[row * (D + 2) + d] = value;
    if (d == 0) {
      mine[row * (D + 2) + D] = top;
      mine[row * (D + 2) + D + 1] = sum;
    }
  }
  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0) shared.last = atomicAdd(split.tickets + pair, 1U) + 1U == static_cast<unsigned>(split.splits);
  __syncthreads();
  if (!shared.last) return;
  __threadfence();
  for (int i = threadIdx.x; i < rows * D; i += threads) {
    const int row = i / D, d = i % D;
    const auto of_split = [&](int p, int what) {
      const int column = what == 0 ? D : what == 1 ? D + 1 : d;
      return __ldcg(parts + (static_cast<std::int64_t>(p) * 16 + row) * (D + 2) + column);
    };
    store(row, d, combined(split.splits, sink(row), of_split));
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
  if (a.cache.head_dim == 64) {
    launch(queue, &decode<64>, grid, threads, sizeof(Shared<64>), a, split);
  } else {
    launch(queue, &decode<128>, grid, threads, sizeof(Shared<128>), a, split);
  }
}

}  // namespace inferometer::cuda
