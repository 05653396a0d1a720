#pragma once
#include "executor/cpu/attention_plan.hpp"
#include "executor/cpu/isa/pointwise.hpp"

namespace inferometer::cpu::INFEROMETER_ISA {

inline constexpr std::int64_t tile_chunks = tile_keys / lanes;
/// Rows and chunks of scores, and registers of outputs, that are summed at once beside their operands.
inline constexpr int most_rows = registers >= 32 ? 8 : 4, most_chunks = registers >= 32 ? 4 : 3,
                     most_outputs = registers >= 32 ? 4 : 2;

/// One key-value head of one sequence in the paged cache.
template <class S>
struct KeysOf {
  const KvCache& cache;
  const std::int32_t* block_table;
  std::int64_t head;

  /// Keys [first, first + lanes), first a multiple of `lanes`, as [head_dim][lanes] with the row stride that
  /// is returned; `spare` [head_dim * lanes] is used where a chunk does not lie in one block. Lanes outside of
  /// [from, to) hold anything.
  const S* chunk(std::int64_t first, std::int64_t from, std::int64_t to, S* spare,
                 std::int64_t& stride) const {
    const S* k = static_cast<const S*>(cache.k);
    if (cache.block_tokens % lanes == 0) {
      stride = cache.block_tokens;
      return k + cache.k_index(block_table[first / cache.block_tokens], head, first % cache.block_tokens, 0);
    }
    stride = lanes;
    for (std::int64_t i = 0; i < lanes; ++i) {
      const std::int64_t key = first + i;
      if (key < from || key >= to) continue;
      const S* at =
          k + cache.k_index(block_table[key / cache.block_tokens], head, key % cache.block_tokens, 0);
      for (std::int64_t d = 0; d < cache.head_dim; ++d) spare[d * lanes + i] = at[d * cache.block_tokens];
    }
    return spare;
  }
  /// The value of `key`; latent values, which are stored across, are copied to `spare` [v_dim].
  const S* value(std::int64_t key, S* spare) const {
    const std::int64_t block = block_table[key / cache.block_tokens], slot = key % cache.block_tokens;
    if (cache.v != nullptr) return static_cast<const S*>(cache.v) + cache.v_index(block, head, slot, 0);
    const S* at = static_cast<const S*>(cache.k) + cache.k_index(block, head, slot, 0);
    for (std::int64_t d = 0; d < cache.v_dim; ++d) spare[d] = at[d * cache.block_tokens];
    return spare;
  }
};

/// scores[r][lanes * c ...] = q[r] . keys of chunk c, for R rows and C chunks: R * C sums stay in registers.
template <int R, int C, class S>
inline void score(const float* q, std::int64_t q_stride, const S* const* k, const std::int64_t* k_stride,
                  std::int64_t head_dim, float* scores, std::int64_t s_stride) {
  Lanes sums[R][C] = {};
  for (std::int64_t d = 0; d < head_dim; ++d) {
    Lanes keys[C];
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) keys[c] = load(k[c] + d * k_stride[c]);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
      for (int c = 0; c < C; ++c) sums[r][c] += q[r * q_stride + d] * keys[c];
    }
  }
  for (int r = 0; r < R; ++r) {
    for (int c = 0; c < C; ++c) store(scores + r * s_stride + c * lanes, sums[r][c]);
  }
}

/// y[r] += sum over keys of p[r][key] * v[key], for R rows and N * lanes elements.
template <int R, int N, class S>
inline void weigh(const float* p, std::int64_t p_stride, const S* const* v, std::int64_t keys, float* y,
                  std::int64_t y_stride, std::int64_t at, std::int64_t left) {
  Lanes sums[R][N];
  for (int r = 0; r < R; ++r) {
    for (int n = 0; n < N; ++n) sums[r][n] = load(y + r * y_stride + at + n * lanes);
  }
  for (std::int64_t key = 0; key < keys; ++key) {
    Lanes value[N];
#pragma GCC unroll 8
    for (int n = 0; n < N; ++n) value[n] = load_upto(v[key] + at + n * lanes, left - n * lanes);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
      for (int n = 0; n < N; ++n) sums[r][n] += p[r * p_stride + key] * value[n];
    }
  }
  for (int r = 0; r < R; ++r) {
    for (int n = 0; n < N; ++n) store(y + r * y_stride + at + n * lanes, sums[r][n]);
  }
}

/// Scores of `rows` query rows [rows][q_stride] with the keys of `chunks` chunks.
template <class S>
inline void score_rows(std::int64_t rows, const float* q, std::int64_t q_stride, const S* const* k,
                       const std::int64_t* k_stride, std::int64_t chunks, std::int64_t head_dim,
                       float* scores, std::int64_t s_stride) {
  const auto step = [&]<int R, int C>(std::int64_t r) {
    std::int64_t c = 0;
    float* to = scores + r * s_stride;
    for (; c + C <= chunks; c += C) {
      score<R, C>(q + r * q_stride, q_stride, k + c, k_stride + c, head_dim, to + c * lanes, s_stride);
    }
    for (; c < chunks; ++c) {
      score<R, 1>(q + r * q_stride, q_stride, k + c, k_stride + c, head_dim, to + c * lanes, s_stride);
    }
  };
  std::int64_t r = 0;
  for (; r + most_rows <= rows; r += most_rows) step.template operator()<most_rows, 2>(r);
  if (rows - r >= 4) step.template operator()<4, 2>(r), r += 4;
  if (rows - r >= 3) step.template operator()<3, most_chunks>(r), r += 3;
  if (rows - r >= 2) step.template operator()<2, 4>(r), r += 2;
  if (rows - r >= 1) step.template operator()<1, 4>(r);
}

template <int R, class S>
inline void weigh_rows(const float* p, std::int64_t p_stride, const S* const* v, std::int64_t keys, float* y,
                       std::int64_t y_stride, std::int64_t v_dim) {
  std::int64_t at = 0;
  constexpr int width = most_outputs * lanes;
  for (; at + width <= v_dim; at += width) {
    weigh<R, most_outputs>(p, p_stride, v, keys, y, y_stride, at, width);
  }
  for (; at < v_dim; at += lanes) weigh<R, 1>(p, p_stride, v, keys, y, y_stride, at, v_dim - at);
}
/// y [rows][y_stride, a multiple of 16] += p v
template <class S>
inline void weigh_all(std::int64_t rows, const float* p, std::int64_t p_stride, const S* const* v,
                      std::int64_t keys, float* y, std::int64_t y_stride, std::int64_t v_dim) {
  const auto step = [&]<int R>(std::int64_t r) {
    weigh_rows<R>(p + r * p_stride, p_stride, v, keys, y + r * y_stride, y_stride, v_dim);
  };
  std::int64_t r = 0;
  for (; r + 4 <= rows; r += 4) step.template operator()<4>(r);
  if (rows - r == 3) step.template operator()<3>(r);
  if (rows - r == 2) step.template operator()<2>(r);
  if (rows - r == 1) step.template operator()<1>(r);
}

}  // namespace inferometer::cpu::INFEROMETER_ISA
