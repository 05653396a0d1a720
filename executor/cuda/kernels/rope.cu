#include "executor/cuda/kernels/device.cuh"

namespace inferometer::cuda {
namespace {

constexpr int threads = 256;

template <int Each, class Element = Bf16>
struct alignas(Each * sizeof(Element)) Piece {
  Element v[Each];
};
/// To its place in the cache, as the cache's elements.
template <int Each, class Element>
__device__ __forceinline__ void keep(Element* to, const Piece<Each>& piece) {
  Piece<Each, Element> kept;
#pragma unroll
  for (int e = 0; e < Each; ++e) kept.v[e] = as_cached<Element>(piece.v[e]);
  *reinterpret_cast<Piece<Each, Element>*>(to) = kept;
}

/// Pairs [i, i + Each) of a head; interleaved ones only one at a time. Their angles are fetched first: they
/// do not wait for the kernel that makes the head.
template <int Each>
struct Pairs {
  int first, second;  ///< where their elements start
  float cosine[Each], sine[Each];
  Piece<Each> a, b;

  __device__ __forceinline__ Pairs(const RopeArguments& r, std::int64_t token, int i)
      : first(r.interleaved ? 2 * i : i),
        second(r.interleaved ? 2 * i + 1 : i + static_cast<int>(r.rotary / 2)) {
    const float* row = r.table + r.positions[token] * r.rotary + i;
#pragma unroll
    for (int e = 0; e < Each; ++e) {
      cosine[e] = row[e];
      sine[e] = row[r.rotary / 2 + e];
    }
  }
  __device__ __forceinline__ void turn(Bf16* head) {
    a = *reinterpret_cast<const Piece<Each>*>(head + first);
    b = *reinterpret_cast<const Piece<Each>*>(head + second);
#pragma unroll
    for (int e = 0; e < Each; ++e) inferometer::cuda::turn(a.v[e], b.v[e], cosine[e], sine[e]);
    *reinterpret_cast<Piece<Each>*>(head + first) = a;
    *reinterpret_cast<Piece<Each>*>(head + second) = b;
  }
};

/// A thread per Each pairs; with a cache, also one per Each elements of keys (beyond the turned part) and
/// values.
template <int Each, class Element, bool Write>
__global__ void __launch_bounds__(threads) turn_and_write(RopeArguments r, KvWriteArguments w) {
  allow_next();
  const std::int64_t token = blockIdx.x;
  const int groups = static_cast<int>(r.rotary / 2) / Each, of_q = static_cast<int>(r.q_heads) * groups,
            of_k = static_cast<int>(r.k_heads) * groups;
  int index = static_cast<int>(blockIdx.y) * threads + static_cast<int>(threadIdx.x);
  const int d = w.cache.head_dim, bt = w.cache.block_tokens, slot = Write ? w.slots[token] % bt : 0;
  const std::int64_t block = Write ? w.slots[token] / bt : 0;
  const auto write = [&](void* cache, int head, int e, int width, const Piece<Each>& piece) {
    keep(static_cast<Element*>(cache) + (block * w.cache.kv_heads + head) * bt * width +
             cache_place<Element>(slot, e, width, bt),
         piece);
  };
  if (index < of_q + of_k) {
    Pairs<Each> pairs(r, token, index % groups * Each);
    wait_for_earlier();
    const int h = index / groups;
    if (index < of_q) {
      pairs.turn(r.q.data + token * r.q.stride + h * r.q_head_stride);
      return;
    }
    const int k = h - static_cast<int>(r.q_heads);
    pairs.turn(r.k.data + token * r.k.stride + k * r.k_head_stride);
    if constexpr (Write) {
      write(w.cache.k, k, pairs.first, d, pairs.a);
      write(w.cache.k, k, pairs.second, d, pairs.b);
    }
    return;
  }
  wait_for_earlier();
  if constexpr (!Write) return;
  index -= of_q + of_k;
  const int rest = (d - static_cast<int>(r.rotary)) / Each, kept = w.cache.kv_heads * rest;
  if (index < kept) {
    const int h = index / rest, e = static_cast<int>(r.rotary) + index % rest * Each;
    write(w.cache.k, h, e, d,
          *reinterpret_cast<const Piece<Each>*>(w.k.data + token * w.k.stride + h * d + e));
    return;
  }
  index = (index - kept) * Each;
  if (index >= w.cache.kv_heads * w.cache.v_dim) return;
  write(w.cache.v, index / w.cache.v_dim, index % w.cache.v_dim, w.cache.v_dim,
        *reinterpret_cast<const Piece<Each>*>(w.v.data + token * w.v.stride + index));
}

/// Each thread moves Each elements of a key or a value to its place.
template <int Each, class Element>
__global__ void __launch_bounds__(threads) write_cache(KvWriteArguments w) {
  take_turn();
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
  Element* to =
      static_cast<Element*>(key ? c.k : c.v) + (block * c.kv_heads + index / d) * c.block_tokens * d;
  keep(to + cache_place<Element>(slot, index % d, d, c.block_tokens),
       *reinterpret_cast<const Piece<Each>*>(from.data + token * from.stride + index));
}

}  // namespace

namespace {

bool wide(const RopeArguments& r) {
  return !r.interleaved && r.rotary % 16 == 0 && r.q_head_stride % 8 == 0 && r.k_head_stride % 8 == 0 &&
         vectors(r.q, 8) && vectors(r.k, 8);
}
bool wide(const KvWriteArguments& w) { return vectors(w.k, w.cache.head_dim) && vectors(w.v, w.cache.v_dim); }

template <class Element, bool Write>
void start(const RopeArguments& r, const KvWriteArguments& w, const Queue& queue) {
  const KvCache& c = w.cache;
  std::int64_t work = (r.q_heads + r.k_heads) * r.rotary / 2;
  if (Write) work += c.kv_heads * (c.head_dim - r.rotary) + static_cast<std::int64_t>(c.kv_heads) * c.v_dim;
  const bool eights = wide(r) && (!Write || wide(w));
  const dim3 grid(static_cast<unsigned>(r.tokens), blocks_for(work, eights ? 8 * threads : threads));
  launch(queue, eights ? &turn_and_write<8, Element, Write> : &turn_and_write<1, Element, Write>, grid,
         threads, 0, r, w);
}

}  // namespace

void rope(const RopeArguments& a, const Queue& queue) { start<Bf16, false>(a, {}, queue); }
void rope_kv_write(const RopeArguments& r, const KvWriteArguments& w, const Queue& queue) {
  if (w.cache.element == CacheElement::fp8) {
    start<Fp8, true>(r, w, queue);
  } else {
    start<Bf16, true>(r, w, queue);
  }
}

void kv_write(const KvWriteArguments& a, const Queue& queue) {
  const KvCache& c = a.cache;
  const std::int64_t elements = static_cast<std::int64_t>(c.kv_heads) * (c.head_dim + c.v_dim);
  const bool eights = wide(a);
  const auto tokens = static_cast<unsigned>(a.tokens);
  const bool fp8 = c.element == CacheElement::fp8;
  launch(queue,
         eights ? (fp8 ? &write_cache<8, Fp8> : &write_cache<8, Bf16>)
                : (fp8 ? &write_cache<1, Fp8> : &write_cache<1, Bf16>),
         dim3(tokens, blocks_for(elements, eights ? 8 * threads : threads)), threads, 0, a);
}

}  // namespace inferometer::cuda
