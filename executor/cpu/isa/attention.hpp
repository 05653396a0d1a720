#pragma once
#include <omp.h>

#include "executor/cpu/attention_plan.hpp"
#include "executor/cpu/isa/attention_tile.hpp"

namespace inferometer::cpu::INFEROMETER_ISA {

inline constexpr float minus_infinity = -__builtin_inff();

/// One thread's part of the workspace.
template <class S>
struct Scratch {
  float *q, *scores, *y;
  S *keys, *values;
  std::int64_t y_stride;

  Scratch(const AttentionArguments& a, std::int64_t thread) : y_stride(padded(a.cache.v_dim)) {
    q = a.workspace + thread * thread_floats(a);
    scores = q + tile_rows * a.cache.head_dim;
    y = scores + tile_rows * tile_keys;
    keys = reinterpret_cast<S*>(y + tile_rows * y_stride);
    values = reinterpret_cast<S*>(y + tile_rows * y_stride + tile_keys * a.cache.head_dim);
  }
};

template <class T>
inline void load_queries(const AttentionPlan& plan, const AttentionItem& it, float* q) {
  const AttentionArguments& a = plan.a;
  const std::int64_t d = a.cache.head_dim;
  for (std::int64_t r = 0; r < it.rows; ++r) {
    const std::int64_t token = (it.row + r) / plan.group,
                       head = it.head * plan.group + (it.row + r) % plan.group;
    const T* from = row<T>(a.q, it.token + token) + head * d;
    runs(d, [&](std::int64_t i, std::int64_t n) {
      store_upto(q + r * d + i, load_upto(from + i, n) * a.scale, n);
    });
  }
}
/// Writes row r of `it`: y * factor.
template <class T>
inline void store_output(const AttentionPlan& plan, const AttentionItem& it, std::int64_t r, const float* y,
                         float factor) {
  const AttentionArguments& a = plan.a;
  const std::int64_t token = (it.row + r) / plan.group,
                     head = it.head * plan.group + (it.row + r) % plan.group;
  T* to = row<T>(a.y, it.token + token) + head * a.cache.v_dim;
  runs(a.cache.v_dim,
       [&](std::int64_t i, std::int64_t n) { store_upto(to + i, load_upto(y + i, n) * factor, n); });
}

/// scores [rows][stride] of the item's queries with keys [start, to), start a multiple of `lanes`.
template <class S>
inline void score_tile(const AttentionPlan& plan, const AttentionItem& it, const Scratch<S>& scratch,
                       std::int64_t start, std::int64_t to, float* scores, std::int64_t stride) {
  const AttentionArguments& a = plan.a;
  const KeysOf<S> keys{a.cache, a.sequences[it.sequence].block_table, it.head};
  const S* chunks[tile_chunks];
  std::int64_t strides[tile_chunks];
  const std::int64_t count = (to - start + lanes - 1) / lanes, d = a.cache.head_dim;
  for (std::int64_t c = 0; c < count; ++c) {
    chunks[c] = keys.chunk(start + c * lanes, it.from, to, scratch.keys + c * lanes * d, strides[c]);
  }
  score_rows(it.rows, scratch.q, d, chunks, strides, count, d, scores, stride);
}
/// y += p v for keys [from, to); p's column 0 is key `from`.
template <class S>
inline void weigh_tile(const AttentionPlan& plan, const AttentionItem& it, const Scratch<S>& scratch,
                       std::int64_t from, std::int64_t to, const float* p, std::int64_t stride) {
  const AttentionArguments& a = plan.a;
  const KeysOf<S> keys{a.cache, a.sequences[it.sequence].block_table, it.head};
  const S* values[tile_keys];
  for (std::int64_t key = from; key < to; ++key) {
    values[key - from] = keys.value(key, scratch.values + (key - from) * scratch.y_stride);
  }
  weigh_all(it.rows, p, stride, values, to - from, scratch.y, scratch.y_stride, a.cache.v_dim);
}

/// Replaces scores [0, columns) by exp(score - top) and returns their sum; columns outside of [low, high)
/// become 0. `top` is raised to the row's largest score first.
inline float exponentiate(float* scores, std::int64_t columns, std::int64_t low, std::int64_t high,
                          float& top) {
  for (std::int64_t i = 0; i < low && i < columns; ++i) scores[i] = minus_infinity;
  for (std::int64_t i = high < 0 ? 0 : high; i < columns; ++i) scores[i] = minus_infinity;
  Lanes tops = all(top);
  runs(columns, [&](std::int64_t i, std::int64_t) { tops = max(tops, load(scores + i)); });
  top = largest(tops);
  Lanes total{};
  runs(columns, [&](std::int64_t i, std::int64_t) {
    const Lanes p = top == minus_infinity ? Lanes{} : exp(load(scores + i) - top);
    total += p;
    store(scores + i, p);
  });
  return sum(total);
}

/// The item's outputs, not yet divided by `totals`, into scratch.y: softmax over keys as they come, earlier
/// sums scaled down whenever a larger score turns up (Milakov, Gimelshein, arXiv 1805.02867).
template <class S>
inline void attend(const AttentionPlan& plan, const AttentionItem& it, const Scratch<S>& scratch, float* tops,
                   float* totals) {
  const SequenceBlocks& s = plan.a.sequences[it.sequence];
  const std::int64_t width = scratch.y_stride;
  for (std::int64_t i = 0; i < it.rows * width; ++i) scratch.y[i] = 0;
  for (std::int64_t r = 0; r < it.rows; ++r) tops[r] = minus_infinity, totals[r] = 0;
  for (std::int64_t tile = it.from / tile_keys * tile_keys; tile < it.to; tile += tile_keys) {
    const std::int64_t from = tile < it.from ? it.from : tile;
    const std::int64_t to = tile + tile_keys < it.to ? tile + tile_keys : it.to;
    const std::int64_t start = from / lanes * lanes, columns = (to - start + lanes - 1) / lanes * lanes;
    score_tile(plan, it, scratch, start, to, scratch.scores, tile_keys);
    for (std::int64_t r = 0; r < it.rows; ++r) {
      const float before = tops[r];
      float* scores = scratch.scores + r * tile_keys;
      const std::int64_t low = plan.first(s, it.row + r), high = plan.last(s, it.row + r) + 1;
      const float added = exponentiate(scores, columns, (low > from ? low : from) - start,
                                       (high < to ? high : to) - start, tops[r]);
      if (tops[r] > before && totals[r] > 0) {
        const float shrink = exp(all(before - tops[r]))[0];
        totals[r] *= shrink;
        for (std::int64_t i = 0; i < width; ++i) scratch.y[r * width + i] *= shrink;
      }
      totals[r] += added;
    }
    weigh_tile(plan, it, scratch, from, to, scratch.scores + (from - start), tile_keys);
  }
}

/// The sink is one more logit of the softmax: returns 1 / sum, and what outputs relative to `top` shrink by.
inline float normalizer(const AttentionArguments& a, std::int64_t head, float top, float total) {
  return 1.0F / (a.sinks == nullptr ? total : total + exp(all(a.sinks[head] - top))[0]);
}

/// The splits of one tile, which stand one after another at `partials`, added up into the first one's place.
template <class T>
inline void merge(const AttentionPlan& plan, const AttentionItem& it, float* partials) {
  const std::int64_t width = padded(plan.a.cache.v_dim), size = partial_floats(plan.a);
  for (std::int64_t r = 0; r < it.rows; ++r) {
    const auto top_of = [&](std::int64_t i) { return partials[i * size + tile_rows * width + r]; };
    float top = minus_infinity, total = 0;
    for (std::int64_t i = 0; i < it.splits; ++i) top = top_of(i) > top ? top_of(i) : top;
    for (std::int64_t i = 0; i < it.splits; ++i) {
      const float share = top_of(i) == minus_infinity ? 0.0F : exp(all(top_of(i) - top))[0];
      total += share * partials[i * size + tile_rows * (width + 1) + r];
      const float* y = partials + i * size + r * width;
      for (std::int64_t d = 0; d < width; ++d) {
        partials[r * width + d] = (i == 0 ? 0.0F : partials[r * width + d]) + share * y[d];
      }
    }
    const std::int64_t head = it.head * plan.group + (it.row + r) % plan.group;
    store_output<T>(plan, it, r, partials + r * width, normalizer(plan.a, head, top, total));
  }
}

template <class T, class S>
inline void tiled(const AttentionPlan& plan) {
  const AttentionArguments& a = plan.a;
  const std::int64_t items = plan.items(), width = padded(a.cache.v_dim);
  float* partials = a.workspace + a.threads * thread_floats(a);
#pragma omp parallel num_threads(static_cast <int>(a.threads)) if (items > 1)
  {
    const Scratch<S> scratch{a, omp_get_thread_num()};
#pragma omp for schedule(dynamic, 1)
    for (std::int64_t i = 0; i < items; ++i) {
      const AttentionItem it = plan.item(i);
      float tops[tile_rows], totals[tile_rows];
      load_queries<T>(plan, it, scratch.q);
      attend(plan, it, scratch, tops, totals);
      float* partial = partials + i * partial_floats(a);
      for (std::int64_t r = 0; r < it.rows; ++r) {
        if (it.splits == 1) {
          const std::int64_t head = it.head * plan.group + (it.row + r) % plan.group;
          store_output<T>(plan, it, r, scratch.y + r * width, normalizer(a, head, tops[r], totals[r]));
          continue;
        }
        __builtin_memcpy(partial + r * width, scratch.y + r * width, static_cast<std::size_t>(width) * 4);
        partial[tile_rows * width + r] = tops[r];
        partial[tile_rows * (width + 1) + r] = totals[r];
      }
    }
    if (plan.wanted_splits > 1) {
#pragma omp for schedule(static)
      for (std::int64_t i = 0; i < items; ++i) {
        const AttentionItem it = plan.item(i);
        if (it.splits > 1 && it.split == 0) merge<T>(plan, it, partials + i * partial_floats(a));
      }
    }
  }
}

inline void attention_tiled(const AttentionArguments& a) {
  with_storage(a.dtype, [&]<class T>(T) {
    with_storage(a.cache.dtype, [&]<class S>(S) { tiled<T, S>(AttentionPlan{a, true}); });
  });
}

}  // namespace inferometer::cpu::INFEROMETER_ISA
