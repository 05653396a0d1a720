#include "executor/cuda/kernels/attention_tiles.cuh"
#include "executor/cuda/kernels/wgmma.cuh"

// source: Dao, "FlashAttention-2", arXiv 2307.08691; Shah et al., "FlashAttention-3", arXiv 2407.08608
namespace inferometer::cuda {
namespace {

// Two warpgroups of 64 rows, and one that loads and gives its registers to the others.
constexpr int consumers = 256, threads = consumers + 128;
constexpr int keys = 128, stages = 3;

template <int D>
struct Shared {
  alignas(1024) Bf16 q[2][64 * D];  ///< of each warpgroup, as [D / 64][64][64]
  Bf16 k[stages][keys * D], v[stages][keys * D];
  std::uint64_t full[stages], empty[stages];
};

#ifdef INFEROMETER_HOPPER
/// The queries of a warpgroup's 64 rows go where the matrix units read them; rows that are none are zero.
template <int D>
__device__ void load_queries(Bf16* to, const AttentionArguments& a, const Sequence& s, int kv_head,
                             int first) {
  const int group = a.heads / a.cache.kv_heads, rows = s.fresh * group;
  for (int i = threadIdx.x % 128; i < 64 * D / 8; i += 128) {
    const int r = i / (D / 8), piece = i % (D / 8), row = first + r;
    uint4 value{};
    if (row < rows) {
      value = *reinterpret_cast<const uint4*>(a.q.data + (s.row + row / group) * a.q.stride +
                                              (kv_head * group + row % group) * D + piece * 8);
    }
    *reinterpret_cast<uint4*>(to + (piece / 8 * 64 + r) * 64 + ((piece % 8) ^ (r & 7)) * 8) = value;
  }
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
  asm volatile("bar.sync %0, 128;" ::"r"(1 + static_cast<int>(threadIdx.x) / 128) : "memory");
}

/// The rows that a thread has scores of, and what is known of them so far.
struct RowState {
  float top[2] = {-INFINITY, -INFINITY}, sum[2] = {}, shrink[2];
  Visible sees[2];

  /// Scores of keys [first, first + keys) become probabilities, relative to the row's running maximum; what
  /// was added up so far is to be multiplied by shrink.   s: of row i elements 2 i and 2 i + 1 of each 4
  __device__ __forceinline__ void soften(float (&s)[keys / 2], int first, float scale) {
    if (first < sees[1].first || first + keys - 1 > sees[0].last) hide(s, first);
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      float most = top[i];
#pragma unroll
      for (int n = 0; n < keys / 8; ++n) most = fmaxf(most, fmaxf(s[n * 4 + 2 * i], s[n * 4 + 2 * i + 1]));
      most = warp_max<4>(most);
      const float base = most == -INFINITY ? 0.0F : most * scale;
      shrink[i] = power_of_two(top[i] * scale - base);
      float added = 0;
#pragma unroll
      for (int n = 0; n < keys / 8; ++n) {
#pragma unroll
        for (int c = 0; c < 2; ++c) {
          float& x = s[n * 4 + 2 * i + c];
          x = power_of_two(fmaf(x, scale, -base));
          added += x;
        }
      }
      sum[i] = sum[i] * shrink[i] + added;  // of this thread's columns; the quad's are added in the end
      top[i] = most;
    }
  }
  __device__ __forceinline__ void hide(float (&s)[keys / 2], int first) const {
    const int column = first + static_cast<int>(threadIdx.x) % 4 * 2;
#pragma unroll
    for (int j = 0; j < keys / 2; ++j) {
      const int key = column + j / 4 * 8 + j % 2, i = j % 4 / 2;
      if (key < sees[i].first || key > sees[i].last) s[j] = -INFINITY;
    }
  }
};
/// What a warpgroup does with its 64 rows and tiles [low, low + count) of keys.
template <int D>
__device__ __forceinline__ void attend(Shared<D>& shared, const AttentionArguments& a, const Sequence& s,
                                       int kv_head, int tile_row, int low, int count) {
  const int lane = threadIdx.x % 32, group = a.heads / a.cache.kv_heads, rows = s.fresh * group;
  const int warpgroup = threadIdx.x / 128, row0 = tile_row + threadIdx.x / 32 * 16 + lane / 4;
  load_queries<D>(shared.q[warpgroup], a, s, kv_head, tile_row + warpgroup * 64);
  RowState state;
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    const int at = s.cached + min(row0 + 8 * i, rows - 1) / group;
    state.sees[i] = {a.window > 0 && at >= a.window ? at - a.window + 1 : 0, at};
  }
  const float scale = a.scale * log2_e;
  float o[D / 2] = {}, scores[keys / 2];
  unsigned p[keys / 16][4];
  const auto score = [&](int i) {  // scores = q kᵀ of tile i, begun
    wait(shared.full + i % stages, i / stages % 2);
    products_begin();
#pragma unroll
    for (int d = 0; d < D / 16; ++d) {
      multiply_tile<keys>(scores, tile_descriptor(shared.q[warpgroup] + d / 4 * 64 * 64) + d % 4 * 2,
                          tile_descriptor(shared.k[i % stages] + d / 4 * keys * 64) + d % 4 * 2, d > 0);
    }
    products_commit();
  };
  const auto weigh = [&](int i) {  // o += p v of tile i, begun
    products_begin();
#pragma unroll
    for (int n = 0; n < keys / 16; ++n)
      multiply_rows<D>(o, p[n], columns_descriptor(shared.v[i % stages] + n * 16 * 64, keys * 128));
    products_commit();
  };
  const auto keep = [&] {
#pragma unroll
    for (int n = 0; n < keys / 16; ++n) {
#pragma unroll
      for (int c = 0; c < 4; ++c) p[n][c] = pack(scores[n * 8 + 2 * c], scores[n * 8 + 2 * c + 1]);
    }
  };
  score(0);
  products_wait<0>();
  state.soften(scores, low * keys, scale);
  keep();
  // While one tile's values are weighed, the next one's scores are softened.
  for (int i = 1; i < count; ++i) {
    score(i);
    weigh(i - 1);
    products_wait<1>();
    pin(scores);
    state.soften(scores, (low + i) * keys, scale);
    pin(scores);
    products_wait<0>();
    pin(o);
    if (lane == 0) arrive(shared.empty + (i - 1) % stages);
#pragma unroll
    for (int j = 0; j < D / 2; ++j) o[j] *= state.shrink[j % 4 / 2];
    keep();
  }
  weigh(count - 1);
  products_wait<0>();
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    float sum = warp_sum<4>(state.sum[i]);
    const int row = row0 + 8 * i, head = kv_head * group + row % group;
    if (row >= rows) continue;
    if (a.sinks != nullptr) sum += power_of_two(a.sinks[head] * log2_e - state.top[i] * scale);
    const float norm = 1.0F / sum;
    Bf16* y = a.y.data + (s.row + row / group) * a.y.stride + head * D + lane % 4 * 2;
#pragma unroll
    for (int j = 0; j < D / 8; ++j)
      *reinterpret_cast<unsigned*>(y + j * 8) = pack(o[j * 4 + 2 * i] * norm, o[j * 4 + 2 * i + 1] * norm);
  }
}
#endif

/// Block (kv_head, tile).
template <int D>
__global__ void __launch_bounds__(threads, 1) prefill(AttentionArguments a, const AttentionTile* tiles) {
#ifdef INFEROMETER_HOPPER
  extern __shared__ unsigned char memory[];
  auto& shared =
      *reinterpret_cast<Shared<D>*>((reinterpret_cast<std::uintptr_t>(memory) + 1023) / 1024 * 1024);
  const int kv_head = blockIdx.x;
  if (threadIdx.x == 0) {
    for (int s = 0; s < stages; ++s) {
      init_barrier(shared.full + s, 1);
      init_barrier(shared.empty + s, consumers / 32);
    }
    publish_barriers();
  }
  __syncthreads();
  const AttentionTile tile = tiles[blockIdx.y];
  const Sequence s = a.sequences[tile.sequence];
  const int group = a.heads / a.cache.kv_heads, rows = s.fresh * group;
  const int last = s.cached + (min(tile.row + static_cast<int>(prefill_rows), rows) - 1) / group;
  const int first = s.cached + tile.row / group;
  const int low = a.window > 0 && first >= a.window ? (first - a.window + 1) / keys : 0;
  const int count = last / keys + 1 - low;
  take_turn();
  if (threadIdx.x >= consumers) {
    asm volatile("setmaxnreg.dec.sync.aligned.u32 40;");
    const TileLoader loader(a, s, keys);
    // A warp without copies would be held back by nothing, and could miss a phase.
    if (static_cast<int>(threadIdx.x) / 32 % 4 >= loader.copies<D, keys>()) return;
    for (int i = 0; i < count; ++i) {
      if (i >= stages) wait(shared.empty + i % stages, (i / stages - 1) % 2);
      __syncwarp();
      loader.load<D, keys, 4>(kv_head, (low + i) * keys, shared.k[i % stages], shared.v[i % stages],
                              shared.full + i % stages);
    }
  } else {
    asm volatile("setmaxnreg.inc.sync.aligned.u32 232;");
    attend<D>(shared, a, s, kv_head, tile.row, low, count);
  }
#endif
}

}  // namespace

void attention_prefill(const AttentionArguments& a, const AttentionTile* tiles, std::int64_t count,
                       const Queue& queue) {
  const dim3 grid(static_cast<unsigned>(a.cache.kv_heads), static_cast<unsigned>(count));
  if (a.cache.head_dim == 64) {
    launch(queue, &prefill<64>, grid, threads, sizeof(Shared<64>) + 1024, a, tiles);
  } else {
    launch(queue, &prefill<128>, grid, threads, sizeof(Shared<128>) + 1024, a, tiles);
  }
}

}  // namespace inferometer::cuda
