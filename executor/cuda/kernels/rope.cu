#include "executor/cuda/kernels/device.cuh"

namespace inferometer::cuda {
namespace {

constexpr int threads = 256;

struct Turned {
  float a, b;
};
/// Pair i of a head: its two elements, turned by the position's angle.
__device__ __forceinline__ Turned turn(const RopeArguments& r, const Bf16* head, std::int64_t token, int i,
                                       int& first, int& second) {
  const int half = static_cast<int>(r.rotary / 2);
  const float* row = r.table + r.positions[token] * r.rotary;
  first = r.interleaved ? 2 * i : i;
  second = r.interleaved ? 2 * i + 1 : i + half;
  const float a = to_float(head[first]), b = to_float(head[second]), c = row[i], s = row[half + i];
  return {a * c - b * s, b * c + a * s};
}

/// A thread per pair; with a cache, also one per element of keys (beyond the turned part) and values.
template <bool Write>
__global__ void __launch_bounds__(threads) turn_and_write(RopeArguments r, KvWriteArguments w) {
  take_turn();
  const std::int64_t token = blockIdx.x;
  const int half = static_cast<int>(r.rotary / 2), q_pairs = static_cast<int>(r.q_heads) * half,
            k_pairs = static_cast<int>(r.k_heads) * half;
  int index = static_cast<int>(blockIdx.y) * threads + static_cast<int>(threadIdx.x);
  int first = 0, second = 0;
  if (index < q_pairs) {
    Bf16* head = r.q.data + token * r.q.stride + index / half * r.q_head_stride;
    const Turned t = turn(r, head, token, index % half, first, second);
    head[first] = to_bf16(t.a);
    head[second] = to_bf16(t.b);
    return;
  }
  index -= q_pairs;
  const int d = w.cache.head_dim, slot = Write ? w.slots[token] % w.cache.block_tokens : 0;
  const std::int64_t block = Write ? w.slots[token] / w.cache.block_tokens : 0;
  const int bt = w.cache.block_tokens;
  const auto cached = [&](Bf16* cache, int head, int e, int width) -> Bf16& {
    return cache[(block * w.cache.kv_heads + head) * bt * width + cache_place(slot, e, width, bt)];
  };
  if (index < k_pairs) {
    const int h = index / half;
    Bf16* head = r.k.data + token * r.k.stride + h * r.k_head_stride;
    const Turned t = turn(r, head, token, index % half, first, second);
    head[first] = to_bf16(t.a);
    head[second] = to_bf16(t.b);
    if constexpr (Write) {
      cached(w.cache.k, h, first, d) = head[first];
      cached(w.cache.k, h, second, d) = head[second];
    }
    return;
  }
  if constexpr (!Write) return;
  index -= k_pairs;
  const int rest = d - static_cast<int>(r.rotary), kept = w.cache.kv_heads * rest;
  if (index < kept) {
    const int h = index / rest, e = static_cast<int>(r.rotary) + index % rest;
    cached(w.cache.k, h, e, d) = w.k.data[token * w.k.stride + h * d + e];
    return;
  }
  index -= kept;
  if (index >= w.cache.kv_heads * w.cache.v_dim) return;
  cached(w.cache.v, index / w.cache.v_dim, index % w.cache.v_dim, w.cache.v_dim) =
      w.v.data[token * w.v.stride + index];
}

/// Each thread moves Each elements of a key or a value to its place.
template <int Each>
__global__ void __launch_bounds__(threads) write_cache(KvWriteArguments w) {
  take_turn();
  struct alignas(Each * 2) Piece {
    Bf16 v[Each];
  };
  const std::int64_t token = blockIdx.x;
  const KvCache& c = w.cache;
  int index = (static_cast<int>(blockIdx.y) * threads + static_cast<int>(threadIdx.x)) * Each;
  const bool key = index < c.kv_heads * c.head_dim;
  if (!key) index -= c.kv_heads * c.head_dim;
  const int d = key ? c.head_dim : c.v_dim;
  if (index >= c.kv_heads * d) return;
  const In& from = key ? w.k : w.v;
  const int slot = w.slots[token] % c.block_tokens;
  const std::int64_t block = w.slots[token] / c.block_tokens;
  Bf16* to = (key ? c.k : c.v) + (block * c.kv_heads + index / d) * c.block_tokens * d;
  *reinterpret_cast<Piece*>(to + cache_place(slot, index % d, d, c.block_tokens)) =
      *reinterpret_cast<const Piece*>(from.data + token * from.stride + index);
}

}  // namespace

void rope(const RopeArguments& a, const Queue& queue) {
  const std::int64_t pairs = (a.q_heads + a.k_heads) * a.rotary / 2;
  launch(queue, &turn_and_write<false>, dim3(static_cast<unsigned>(a.tokens), blocks_for(pairs, threads)),
         threads, 0, a, KvWriteArguments{});
}

void kv_write(const KvWriteArguments& a, const Queue& queue) {
  const KvCache& c = a.cache;
  const std::int64_t elements = static_cast<std::int64_t>(c.kv_heads) * (c.head_dim + c.v_dim);
  const bool wide = vectors(a.k, c.head_dim) && vectors(a.v, c.v_dim);
  const auto tokens = static_cast<unsigned>(a.tokens);
  launch(queue, wide ? &write_cache<8> : &write_cache<1>,
         dim3(tokens, blocks_for(elements, wide ? 8 * threads : threads)), threads, 0, a);
}

void rope_kv_write(const RopeArguments& r, const KvWriteArguments& w, const Queue& queue) {
  const KvCache& c = w.cache;
  const std::int64_t work = (r.q_heads + r.k_heads) * r.rotary / 2 +
                            c.kv_heads * (c.head_dim - r.rotary) +
                            static_cast<std::int64_t>(c.kv_heads) * c.v_dim;
  launch(queue, &turn_and_write<true>, dim3(static_cast<unsigned>(r.tokens), blocks_for(work, threads)),
         threads, 0, r, w);
}

}  // namespace inferometer::cuda
