#pragma once
#include "executor/cuda/kernels/attention_tiles.cuh"

// The one new token of a sequence in a decode step: rotated by every block for its own queries, and appended
// to the cache by the block that reads the newest tile of keys.
#ifdef INFEROMETER_HOPPER
namespace inferometer::cuda {

/// Rows [group + 2][D + 8] of a block of Threads threads: the queries of a key head, at most Rows, the head's
/// key and its value. The gap behind each row keeps rows apart in the banks. Each thread turns the same 8
/// elements of some rows; their angles are fetched when it is made, before the kernel that makes the rows has
/// ended.
template <int D, int Threads, int Rows>
struct FreshRows {
  static constexpr int stride = D + 8, pieces = D / 8, at_once = Threads / pieces;
  const AttentionArguments& a;
  const FreshArguments& fresh;
  const Sequence& s;
  int kv_head, group, piece;
  bool turned;
  int first, second;  ///< where its elements start, four and four
  alignas(16) float cosine[4] = {};
  alignas(16) float sine[4] = {};

  __device__ __forceinline__ FreshRows(const AttentionArguments& arguments, const FreshArguments& f,
                                       const Sequence& sequence, int head)
      : a(arguments),
        fresh(f),
        s(sequence),
        kv_head(head),
        group(arguments.heads / arguments.cache.kv_heads),
        piece(static_cast<int>(threadIdx.x) % pieces),
        turned(piece * 8 < f.rotary),
        first(turned && !f.interleaved ? piece * 4 : piece * 8),
        second(turned && !f.interleaved ? piece * 4 + f.rotary / 2 : piece * 8 + 4) {
    if (!turned) return;
    const float* row = f.table + static_cast<std::int64_t>(sequence.cached) * f.rotary + piece * 4;
    *reinterpret_cast<float4*>(cosine) = *reinterpret_cast<const float4*>(row);
    *reinterpret_cast<float4*>(sine) = *reinterpret_cast<const float4*>(row + f.rotary / 2);
  }

  /// appends: also the key and the value. The block's threads are to meet before `to` is read.
  __device__ __forceinline__ void take(bool appends, Bf16* to) const {
    constexpr int rounds = (Rows + 2 + at_once - 1) / at_once;
    const int rows = group + (appends ? 2 : 0), row0 = static_cast<int>(threadIdx.x) / pieces;
    Four x[rounds], y[rounds];
#pragma unroll
    for (int i = 0; i < rounds; ++i) {
      const int row = row0 + i * at_once;
      if (row >= rows) continue;
      const Bf16* from = source(row);
      const bool value = row > group;
      x[i] = *reinterpret_cast<const Four*>(from + (value ? piece * 8 : first));
      y[i] = *reinterpret_cast<const Four*>(from + (value ? piece * 8 + 4 : second));
    }
#pragma unroll
    for (int i = 0; i < rounds; ++i) {
      const int row = row0 + i * at_once;
      if (row >= rows) continue;
      const bool value = row > group;
      if (turned && !value) rotate(x[i], y[i]);
      *reinterpret_cast<Four*>(to + row * stride + (value ? piece * 8 : first)) = x[i];
      *reinterpret_cast<Four*>(to + row * stride + (value ? piece * 8 + 4 : second)) = y[i];
    }
  }

 private:
  struct alignas(8) Four {
    Bf16 v[4];
  };

  __device__ __forceinline__ const Bf16* source(int row) const {
    if (row < group) return a.q.data + s.row * a.q.stride + (kv_head * group + row) * D;
    const In& from = row == group ? fresh.k : fresh.v;
    return from.data + s.row * from.stride + kv_head * D;
  }
  __device__ __forceinline__ void rotate(Four& x, Four& y) const {
    if (fresh.interleaved) {
#pragma unroll
      for (int e = 0; e < 2; ++e) {
        turn(x.v[2 * e], x.v[2 * e + 1], cosine[e], sine[e]);
        turn(y.v[2 * e], y.v[2 * e + 1], cosine[e + 2], sine[e + 2]);
      }
    } else {
#pragma unroll
      for (int e = 0; e < 4; ++e) turn(x.v[e], y.v[e], cosine[e], sine[e]);
    }
  }
};

/// The newest token's key and value to their place in the tile that was fetched without them, and in the
/// cache, by the lanes of one warp.   from: the key's row, the value's `stride` behind it   block: of the
/// cache
template <class Element, int D, int Keys>
__device__ __forceinline__ void append(const KvCache& c, std::int64_t block, int kv_head, int position,
                                       const Bf16* from, int stride, Element* keys, Element* values) {
  constexpr int each = 16 / sizeof(Element), pieces = D / each;
  const int slot = position % c.block_tokens;
  const std::int64_t head = (block * c.kv_heads + kv_head) * c.block_tokens * D;
  for (int i = static_cast<int>(threadIdx.x) % 32; i < 2 * pieces; i += 32) {
    const bool is_key = i < pieces;
    const int d = i % pieces * each;
    alignas(16) Element piece[each];
#pragma unroll
    for (int e = 0; e < each; e += 8) {
      const Eight eight = *reinterpret_cast<const Eight*>(from + (is_key ? 0 : stride) + d + e);
#pragma unroll
      for (int j = 0; j < 8; ++j) piece[e + j] = as_cached<Element>(eight.v[j]);
    }
    const uint4 bits = *reinterpret_cast<const uint4*>(piece);
    *reinterpret_cast<uint4*>((is_key ? keys : values) + cache_place<Element>(position % Keys, d, D, Keys)) =
        bits;
    *reinterpret_cast<uint4*>(static_cast<Element*>(is_key ? c.k : c.v) + head +
                              cache_place<Element>(slot, d, D, c.block_tokens)) = bits;
  }
  __syncwarp();
}

}  // namespace inferometer::cuda
#endif
