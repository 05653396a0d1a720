#include "executor/cuda/kernels/attention_mma.cuh"

namespace inferometer::cuda {
namespace {

constexpr int warps = 4, threads = warps * 32, keys = 64, stages = 2;

template <int D>
struct Shared {
  alignas(128) Bf16 k[stages][keys * D];
  Bf16 v[stages][keys * D];
  alignas(8) std::uint64_t full[stages];
};

/// Block (tile, kv_head): each warp has 16 of the tile's rows, all share the keys.
template <int D>
__global__ void __launch_bounds__(threads) prefill(AttentionArguments a, const AttentionTile* tiles) {
#ifdef INFEROMETER_HOPPER
  extern __shared__ __align__(128) unsigned char memory[];
  auto& shared = *reinterpret_cast<Shared<D>*>(memory);
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, kv_head = blockIdx.y;
  if (threadIdx.x == 0) {
    for (int s = 0; s < stages; ++s) init_barrier(&shared.full[s], 1);
    publish_barriers();
  }
  __syncthreads();
  const AttentionTile tile = tiles[blockIdx.x];
  const Sequence s = a.sequences[tile.sequence];
  const int group = a.heads / a.cache.kv_heads, rows = s.fresh * group;
  const int top = s.cached + (min(tile.row + warps * 16, rows) - 1) / group;  // the last key that is seen
  const int first = s.cached + tile.row / group;
  const int low = a.window > 0 && first >= a.window ? (first - a.window + 1) / keys : 0;
  const int count = top / keys + 1 - low;
  take_turn();
  const TileLoader loader(a, s, keys);
  const auto load = [&](int i) {
    loader.load<D, keys>(kv_head, (low + i) * keys, shared.k[i % stages], shared.v[i % stages],
                         &shared.full[i % stages]);
  };
  if (warp == 0) {
    for (int i = 0; i < stages && i < count; ++i) load(i);
  }
  SixteenRows<D, keys> work(a, s, kv_head, tile.row + warp * 16);
  for (int i = 0; i < count; ++i) {
    wait(&shared.full[i % stages], i / stages % 2);
    work.attend(shared.k[i % stages], shared.v[i % stages], (low + i) * keys, a.scale * log2_e);
    __syncthreads();
    if (warp == 0 && i + stages < count) load(i + stages);
  }
  work.finish();
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    const int row = work.row0 + 8 * i, head = kv_head * group + row % group;
    if (row >= rows) continue;
    if (a.sinks != nullptr) work.sum[i] += exp2f(a.sinks[head] * log2_e - work.top[i]);
    const float scale = 1.0F / work.sum[i];
    Bf16* y = a.y.data + (s.row + row / group) * a.y.stride + head * D + lane % 4 * 2;
#pragma unroll
    for (int j = 0; j < D / 8; ++j)
      *reinterpret_cast<unsigned*>(y + j * 8) = pack(work.o[j][2 * i] * scale, work.o[j][2 * i + 1] * scale);
  }
#endif
}

}  // namespace

void attention_prefill(const AttentionArguments& a, const AttentionTile* tiles, std::int64_t count,
                       const Queue& queue) {
  const dim3 grid(static_cast<unsigned>(count), static_cast<unsigned>(a.cache.kv_heads));
  if (a.cache.head_dim == 64) {
    launch(queue, &prefill<64>, grid, threads, sizeof(Shared<64>), a, tiles);
  } else {
    launch(queue, &prefill<128>, grid, threads, sizeof(Shared<128>), a, tiles);
  }
}

}  // namespace inferometer::cuda
