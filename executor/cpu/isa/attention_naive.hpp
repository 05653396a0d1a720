#pragma once
#include "executor/cpu/isa/attention.hpp"

namespace inferometer::cpu::INFEROMETER_ISA {

/// Where an item's scores stand in the workspace: [heads][fresh][columns] of its sequence, after those of
/// the sequences before it.
struct ScoreRows {
  float* scores;
  std::int64_t start, columns;  ///< the key of column 0; columns of a row
};
inline ScoreRows score_rows_of(const AttentionPlan& plan, const AttentionItem& it) {
  const AttentionArguments& a = plan.a;
  float* at = a.workspace + a.threads * thread_floats(a);
  for (std::int64_t i = 0; i < it.sequence; ++i) {
    at += a.heads * a.sequences[i].fresh * score_columns(a, a.sequences[i]);
  }
  const SequenceBlocks& s = a.sequences[it.sequence];
  const std::int64_t columns = score_columns(a, s);
  return {at + (it.head * plan.group * s.fresh + it.row) * columns, score_start(a, s), columns};
}

template <class T, class S>
inline void naive(const AttentionPlan& plan) {
  const AttentionArguments& a = plan.a;
  const std::int64_t items = plan.items();
  // Calls f(item, scratch, rows of scores) for each item; all items are done before it returns.
  const auto pass = [&](auto f) {
#pragma omp parallel num_threads(static_cast <int>(a.threads)) if (items > 1)
    {
      const Scratch<S> scratch{a, omp_get_thread_num()};
#pragma omp for schedule(dynamic, 1)
      for (std::int64_t i = 0; i < items; ++i) {
        const AttentionItem it = plan.item(i);
        f(it, scratch, score_rows_of(plan, it));
      }
    }
  };
  pass([&](const AttentionItem& it, const Scratch<S>& scratch, const ScoreRows& to) {
    load_queries<T>(plan, it, scratch.q);
    for (std::int64_t key = it.from / tile_keys * tile_keys; key < it.to; key += tile_keys) {
      const std::int64_t end = key + tile_keys < it.to ? key + tile_keys : it.to;
      score_tile(plan, it, scratch, key, end, to.scores + (key - to.start), to.columns);
    }
  });
  pass([&](const AttentionItem& it, const Scratch<S>&, const ScoreRows& at) {
    const SequenceBlocks& s = a.sequences[it.sequence];
    const std::int64_t start = it.from / lanes * lanes;
    for (std::int64_t r = 0; r < it.rows; ++r) {
      float* p = at.scores + r * at.columns + (start - at.start);
      float top = minus_infinity;
      const std::int64_t columns = (it.to - start + lanes - 1) / lanes * lanes;
      const float total = exponentiate(p, columns, plan.first(s, it.row + r) - start,
                                       plan.last(s, it.row + r) + 1 - start, top);
      const std::int64_t head = it.head * plan.group + (it.row + r) % plan.group;
      const float factor = normalizer(a, head, top, total);
      runs(columns, [&](std::int64_t i, std::int64_t) { store(p + i, load(p + i) * factor); });
    }
  });
  pass([&](const AttentionItem& it, const Scratch<S>& scratch, const ScoreRows& at) {
    for (std::int64_t i = 0; i < it.rows * scratch.y_stride; ++i) scratch.y[i] = 0;
    for (std::int64_t key = it.from; key < it.to; key += tile_keys) {
      const std::int64_t end = key + tile_keys < it.to ? key + tile_keys : it.to;
      weigh_tile(plan, it, scratch, key, end, at.scores + (key - at.start), at.columns);
    }
    for (std::int64_t r = 0; r < it.rows; ++r)
      store_output<T>(plan, it, r, scratch.y + r * scratch.y_stride, 1.0F);
  });
}

inline void attention_naive(const AttentionArguments& a) {
  with_storage(a.dtype, [&]<class T>(T) {
    with_storage(a.cache.dtype, [&]<class S>(S) { naive<T, S>(AttentionPlan{a, false}); });
  });
}

}  // namespace inferometer::cpu::INFEROMETER_ISA
