#include <algorithm>

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
/// 128 rows of queries of one key head, and the tiles of keys that they see.
struct Work {
  Sequence s{};
  int kv_head = 0, row = 0, low = 0, count = 0;

  __device__ __forceinline__ int rows(const AttentionArguments& a) const {
    return s.fresh * (a.heads / a.cache.kv_heads);
  }
};
/// What this block does in its `turn`-th turn; no tiles of keys where it has nothing left to do. Those that
/// see most keys come first, and the order of the blocks is turned round each time: all have about as much to
/// do.
__device__ __forceinline__ Work work_of(const AttentionArguments& a, const AttentionTile* tiles, int total,
                                        int turn) {
  const int blocks = gridDim.x, at = turn % 2 == 0 ? blockIdx.x : blocks - 1 - blockIdx.x;
  const int index = turn * blocks + at;
  Work w;
  if (index >= total) return w;
  const AttentionTile tile = tiles[index / a.cache.kv_heads];
  w.s = a.sequences[tile.sequence];
  w.kv_head = index % a.cache.kv_heads;
  w.row = tile.row;
  const int group = a.heads / a.cache.kv_heads, rows = w.rows(a);
  const int last = w.s.cached + (min(tile.row + static_cast<int>(prefill_rows), rows) - 1) / group;
  const int first = w.s.cached + tile.row / group;
  w.low = a.window > 0 && first >= a.window ? (first - a.window + 1) / keys : 0;
  w.count = last / keys + 1 - w.low;
  return w;
}

/// The queries of a warpgroup's 64 rows, each thread's part, on their way to where the matrix units read
/// them; rows that are none are zero.
template <int D>
struct Queries {
  uint4 parts[64 * D / 8 / 128];

  __device__ __forceinline__ void fetch(const AttentionArguments& a, const Work& w, int first) {
    const int group = a.heads / a.cache.kv_heads, rows = w.rows(a);
#pragma unroll
    for (int n = 0; n < 64 * D / 8 / 128; ++n) {
      const int i = n * 128 + threadIdx.x % 128, row = first + i / (D / 8), piece = i % (D / 8);
      parts[n] = uint4{};
      if (row < rows) {
        parts[n] = *reinterpret_cast<const uint4*>(a.q.data + (w.s.row + row / group) * a.q.stride +
                                                   (w.kv_head * group + row % group) * D + piece * 8);
      }
    }
  }
  /// requires that the warpgroup's products of the queries before have ended
  __device__ __forceinline__ void store(Bf16* to) const {
    meet();
#pragma unroll
    for (int n = 0; n < 64 * D / 8 / 128; ++n) {
      const int i = n * 128 + threadIdx.x % 128, r = i / (D / 8), piece = i % (D / 8);
      *reinterpret_cast<uint4*>(to + (piece / 8 * 64 + r) * 64 + ((piece % 8) ^ (r & 7)) * 8) = parts[n];
    }
    publish_to_copies();
    meet();
  }
  /// All threads of the warpgroup.
  static __device__ __forceinline__ void meet() {
    __syncwarp();
    asm volatile("bar.sync %0, 128;" ::"r"(1 + static_cast<int>(threadIdx.x) / 128) : "memory");
  }
};

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
/// Warpgroups take turns at the matrix units: one's softmax runs under the other's products. The first turn
/// is the first warpgroup's; each turn ends by letting the other begin.
__device__ __forceinline__ void begin_turn(int warpgroup) {
  asm volatile("bar.sync %0, 256;" ::"r"(3 + warpgroup) : "memory");
}
__device__ __forceinline__ void end_turn(int warpgroup) {
  asm volatile("bar.arrive %0, 256;" ::"r"(4 - warpgroup) : "memory");
}

/// What a warpgroup does with its 64 rows of w. queries: those of w, then those of the work behind it. tile:
/// how many tiles of keys the block has used before
template <int D>
__device__ __forceinline__ void attend(Shared<D>& shared, const AttentionArguments& a, const Work& w,
                                       const Work& next, Queries<D>& queries, int tile) {
  const Sequence& s = w.s;
  const int low = w.low, count = w.count, kv_head = w.kv_head;
  const int lane = threadIdx.x % 32, group = a.heads / a.cache.kv_heads, rows = w.rows(a);
  const int warpgroup = threadIdx.x / 128, row0 = w.row + threadIdx.x / 32 * 16 + lane / 4;
  queries.store(shared.q[warpgroup]);
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
    products_begin();
#pragma unroll
    for (int d = 0; d < D / 16; ++d) {
      multiply_tile<keys>(scores, tile_descriptor(shared.q[warpgroup] + d / 4 * 64 * 64) + d % 4 * 2,
                          tile_descriptor(shared.k[(tile + i) % stages] + d / 4 * keys * 64) + d % 4 * 2,
                          d > 0);
    }
    products_commit();
  };
  const auto weigh = [&](int i) {  // o += p v of tile i, begun
    products_begin();
#pragma unroll
    for (int n = 0; n < keys / 16; ++n)
      multiply_rows<D>(o, p[n], columns_descriptor(shared.v[(tile + i) % stages] + n * 16 * 64, keys * 128));
    products_commit();
  };
  const auto keep = [&] {
#pragma unroll
    for (int n = 0; n < keys / 16; ++n) {
#pragma unroll
      for (int c = 0; c < 4; ++c) p[n][c] = pack(scores[n * 8 + 2 * c], scores[n * 8 + 2 * c + 1]);
    }
  };
  const auto arrived = [&](int i) { wait(shared.full + (tile + i) % stages, (tile + i) / stages % 2); };
  const auto release = [&](int i) {
    if (lane == 0) arrive(shared.empty + (tile + i) % stages);
  };
  arrived(0);
  score(0);
  products_wait<0>();
  state.soften(scores, low * keys, scale);
  keep();
  if (warpgroup == 1 && count > 1) end_turn(1);
  // While one tile's values are weighed, the next one's scores are softened.
  for (int i = 1; i < count; ++i) {
    arrived(i);
    begin_turn(warpgroup);
    score(i);
    weigh(i - 1);
    if (warpgroup == 0 || i + 1 < count) end_turn(warpgroup);
    products_wait<1>();
    pin(scores);
    state.soften(scores, (low + i) * keys, scale);
    pin(scores);
    products_wait<0>();
    pin(o);
    release(i - 1);
#pragma unroll
    for (int j = 0; j < D / 2; ++j) o[j] *= state.shrink[j % 4 / 2];
    keep();
  }
  weigh(count - 1);
  if (next.count > 0) queries.fetch(a, next, next.row + warpgroup * 64);
  products_wait<0>();
  pin(o);
  release(count - 1);
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

/// Blocks that stay and take one piece of work after another: keys of the next arrive while one ends. total:
/// tiles of rows and key heads
template <int D>
__global__ void __launch_bounds__(threads, 1)
    prefill(AttentionArguments a, const AttentionTile* tiles, int total) {
#ifdef INFEROMETER_HOPPER
  extern __shared__ unsigned char memory[];
  auto& shared =
      *reinterpret_cast<Shared<D>*>((reinterpret_cast<std::uintptr_t>(memory) + 1023) / 1024 * 1024);
  if (threadIdx.x == 0) {
    for (int s = 0; s < stages; ++s) {
      init_barrier(shared.full + s, 1);
      init_barrier(shared.empty + s, consumers / 32);
    }
    publish_barriers();
  }
  __syncthreads();
  take_turn();
  int tile = 0;
  if (threadIdx.x >= consumers) {
    give_registers<56>();
    for (int turn = 0;; ++turn) {
      const Work work = work_of(a, tiles, total, turn);
      if (work.count == 0) return;
      const TileLoader<Bf16, D, keys, 4> loader(a, work.s, work.kv_head);
      // A warp without copies would be held back by nothing, and could miss a phase.
      if (static_cast<int>(threadIdx.x) / 32 % 4 >= loader.copies) return;
      for (int i = 0; i < work.count; ++i, ++tile) {
        if (tile >= stages) wait(shared.empty + tile % stages, (tile / stages - 1) % 2);
        __syncwarp();
        const int first = (work.low + i) * keys;
        loader.load(first, loader.find(first), shared.k[tile % stages], shared.v[tile % stages],
                    shared.full + tile % stages);
      }
    }
  } else {
    take_registers<224>();
    Work work = work_of(a, tiles, total, 0);
    Queries<D> queries;
    queries.fetch(a, work, work.row + static_cast<int>(threadIdx.x) / 128 * 64);
    for (int turn = 1; work.count > 0; ++turn) {
      const Work next = work_of(a, tiles, total, turn);
      attend<D>(shared, a, work, next, queries, tile);
      tile += work.count;
      work = next;
    }
  }
#endif
}

}  // namespace

void attention_prefill(const AttentionArguments& a, const AttentionTile* tiles, std::int64_t count,
                       const Queue& queue) {
  const std::int64_t total = count * a.cache.kv_heads;
  const dim3 grid(static_cast<unsigned>(std::min<std::int64_t>(total, queue.processors)));
  if (a.cache.head_dim == 64) {
    launch(queue, &prefill<64>, grid, threads, sizeof(Shared<64>) + 1024, a, tiles, static_cast<int>(total));
  } else {
    launch(queue, &prefill<128>, grid, threads, sizeof(Shared<128>) + 1024, a, tiles,
           static_cast<int>(total));
  }
}

}  // namespace inferometer::cuda
