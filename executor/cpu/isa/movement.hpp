#pragma once
#include "executor/cpu/isa/pointwise.hpp"

namespace inferometer::cpu::INFEROMETER_ISA {

/// Copies rows of bytes: gather and scatter do not look at what they move.
inline void gather(const GatherArguments& a) {
  rows(a.count, a.width, [&](std::int64_t i) {
    const std::int64_t from = a.rows == nullptr ? i : a.rows[i] / a.divisor;
    __builtin_memcpy(static_cast<char*>(a.y.data) + i * a.y.stride * a.element_bytes,
                     static_cast<const char*>(a.x.data) + from * a.x.stride * a.element_bytes,
                     static_cast<std::size_t>(a.width * a.element_bytes));
  });
}
inline void scatter(const GatherArguments& a) {
  rows(a.count, a.width, [&](std::int64_t i) {
    const std::int64_t to = a.rows == nullptr ? i : a.rows[i];
    __builtin_memcpy(static_cast<char*>(a.y.data) + to * a.y.stride * a.element_bytes,
                     static_cast<const char*>(a.x.data) + i * a.x.stride * a.element_bytes,
                     static_cast<std::size_t>(a.width * a.element_bytes));
  });
}

inline void quantize(const QuantizeArguments& a) {
  with_storage(a.dtype, [&]<class T>(T) {
    rows(a.tokens, a.width, [&](std::int64_t t) {
      const T* x = row<T>(a.x, t);
      std::int8_t* q = a.q + t * a.q_stride;
      Lanes tops{};
      runs(a.width,
           [&](std::int64_t i, std::int64_t n) { tops = max(tops, magnitude(load_upto(x + i, n))); });
      const float scale = largest(tops) * (1.0F / 127.0F);
      // Below the smallest normal number the reciprocal overflows; such a row is 0 for all that follows.
      const float factor = scale > 1.2e-38F ? 1.0F / scale : 0.0F;
      a.scales[t] = scale;
      runs(a.width, [&](std::int64_t i, std::int64_t n) {
        const Lanes magic = all(12582912.0F);  // rounds to the nearest integer, ties to even
        const Lanes rounded = (load_upto(x + i, n) * factor + magic) - magic;
        const Chars c = __builtin_convertvector(__builtin_convertvector(rounded, Ints), Chars);
        __builtin_memcpy(q + i, &c, static_cast<std::size_t>(n < lanes ? n : lanes));
      });
    });
  });
}

inline void dequantize(const DequantizeArguments& a) {
  with_storage(a.dtype, [&]<class T>(T) {
    rows(a.tokens, a.width, [&](std::int64_t t) {
      const std::int32_t* sums = a.sums + t * a.width;
      T* y = row<T>(a.y, t);
      runs(a.width, [&](std::int64_t i, std::int64_t n) {
        Ints s{};
        __builtin_memcpy(&s, sums + i,
                         static_cast<std::size_t>(n < lanes ? n : lanes) * sizeof(std::int32_t));
        Lanes v = __builtin_convertvector(s, Lanes) * a.row_scales[t] * load_upto(a.column_scales + i, n);
        if (a.bias != nullptr) v += load_upto(a.bias + i, n);
        store_upto(y + i, v, n);
      });
    });
  });
}

inline void combine(const CombineArguments& a) {
  with_storage(a.dtype, [&]<class T>(T) {
    rows(a.tokens, a.top_k * a.width, [&](std::int64_t t) {
      T* y = row<T>(a.y, t);
      runs(a.width, [&](std::int64_t i, std::int64_t n) {
        Lanes total{};
        for (std::int64_t k = 0; k < a.top_k; ++k) {
          total += a.weights[t * a.top_k + k] * load_upto(row<T>(a.x, t * a.top_k + k) + i, n);
        }
        store_upto(y + i, total, n);
      });
    });
  });
}

inline void convert(const ConvertArguments& a) {
  with_storage(a.from, [&]<class T>(T) {
    with_storage(a.to, [&]<class S>(S) {
      rows(a.tokens, a.width, [&](std::int64_t t) {
        const T* x = row<T>(a.x, t);
        S* y = row<S>(a.y, t);
        runs(a.width, [&](std::int64_t i, std::int64_t n) { store_upto(y + i, load_upto(x + i, n), n); });
      });
    });
  });
}

inline void argmax(const ArgmaxArguments& a) {
  rows(a.tokens, a.width, [&](std::int64_t t) {
    const float* x = row<float>(a.x, t);
    Lanes top = all(x[0]);
    Ints at{}, here{};
    for (int i = 0; i < lanes; ++i) here[i] = i;
    std::int64_t i = 0;
    for (; i + lanes <= a.width; i += lanes, here += lanes) {
      const Lanes v = load(x + i);
      const Ints better = v > top;
      top = select(better, v, top);
      at = (better & here) | (~better & at);
    }
    std::int32_t best = at[0];
    for (int lane = 1; lane < lanes; ++lane) {
      if (top[lane] > x[best] || (top[lane] == x[best] && at[lane] < best)) best = at[lane];
    }
    for (; i < a.width; ++i) {
      if (x[i] > x[best]) best = static_cast<std::int32_t>(i);
    }
    a.ids[t] = best;
  });
}

template <class T, class S>
inline void write_token(const KvWriteArguments& a, std::int64_t t) {
  const KvCache& c = a.cache;
  const std::int64_t block = a.slots[t] / c.block_tokens, slot = a.slots[t] % c.block_tokens;
  for (std::int64_t h = 0; h < c.kv_heads; ++h) {
    const T* k = row<T>(a.k, t) + h * c.head_dim;
    S* k_to = static_cast<S*>(c.k) + c.k_index(block, h, slot, 0);
    for (std::int64_t d = 0; d < c.head_dim; ++d) k_to[d * c.block_tokens] = from_float<S>(to_float(k[d]));
    if (c.v == nullptr) continue;
    const T* v = row<T>(a.v, t) + h * c.v_dim;
    S* v_to = static_cast<S*>(c.v) + c.v_index(block, h, slot, 0);
    runs(c.v_dim, [&](std::int64_t i, std::int64_t n) { store_upto(v_to + i, load_upto(v + i, n), n); });
  }
}
inline void kv_write(const KvWriteArguments& a) {
  with_storage(a.dtype, [&]<class T>(T) {
    with_storage(a.cache.dtype, [&]<class S>(S) {
      // A thread's tokens are neighbours, which share the cache lines of a block's keys.
      rows(a.tokens, a.cache.kv_heads * (a.cache.head_dim + a.cache.v_dim),
           [&](std::int64_t t) { write_token<T, S>(a, t); });
    });
  });
}

}  // namespace inferometer::cpu::INFEROMETER_ISA
