#pragma once
#include <algorithm>

#include "model/operators/operand.hpp"

namespace inferometer {

/// (query, key) pairs under a causal mask and a sliding window (0: none): masked pairs are not counted. Of
/// one sequence, or of lengths that are means over several.
template <class Number>
constexpr Number causal_pairs(Number fresh, Number cached, Number window) {
  if (window <= 0) return fresh * cached + fresh * (fresh + 1) / 2;
  const Number full = std::clamp<Number>(window - 1 - cached, 0, fresh);  // queries that see everything
  return full * cached + full * (full + 1) / 2 + (fresh - full) * window;
}
/// Cached and fresh tokens that at least one query sees.
template <class Number>
constexpr Number visible_tokens(Number fresh, Number cached, Number window) {
  return window <= 0 ? cached + fresh : std::min<Number>(cached, window - 1) + fresh;
}

/// What one sequence asks of attention in a step: `fresh` new tokens behind `cached` earlier ones.
struct AttentionSlice {
  std::int64_t fresh = 0;
  std::int64_t cached = 0;
  friend constexpr bool operator==(const AttentionSlice&, const AttentionSlice&) = default;

  constexpr std::int64_t pairs(std::int64_t window) const { return causal_pairs(fresh, cached, window); }
  constexpr std::int64_t visible(std::int64_t window) const { return visible_tokens(fresh, cached, window); }
};

enum class AttentionKernel : std::uint8_t {
  naive,  ///< scores written to memory, softmax over them, read again: three passes
  tiled,  ///< online softmax over tiles of keys; scores never leave the core (FlashAttention, arXiv
          ///< 2205.14135)
  cudnn   ///< the same, by cuDNN for prompts without history: it reads their keys and values where they were
          ///< computed. What has history, and single tokens, are as with tiled.
};

/// y = softmax(scale q kᵀ) v over each sequence's cached and fresh tokens, causal, grouped queries.
/// q [tokens, heads * head_dim]   y [tokens, heads * v_dim]
/// k [visible, kv_heads * head_dim], v [visible, kv_heads * v_dim]: slices one after another; with v_in_k
/// (latent attention) v is the first v_dim of each key and no operand of its own. A sink is one more logit
/// per head, without a value.
struct Attention {
  static constexpr std::string_view name = "attention";
  static constexpr std::string_view flops_formula =
      "heads * (pairs * (2 * head_dim + 2 * v_dim + 3) + tokens * (v_dim + 2 * sinks))";
  std::vector<AttentionSlice> slices;
  std::int64_t heads = 0, kv_heads = 0, head_dim = 0, v_dim = 0;
  std::int64_t window = 0;
  double scale = 1.0;
  bool sinks = false, v_in_k = false;
  DType dtype = DType::bf16, kv_dtype = DType::bf16;
  AttentionKernel kernel = AttentionKernel::tiled;

  std::int64_t tokens() const {
    std::int64_t sum = 0;
    for (const auto& s : slices) sum += s.fresh;
    return sum;
  }
  std::int64_t pairs() const {
    std::int64_t sum = 0;
    for (const auto& s : slices) sum += s.pairs(window);
    return sum;
  }
  std::int64_t visible() const {
    std::int64_t sum = 0;
    for (const auto& s : slices) sum += s.visible(window);
    return sum;
  }
  Operands operands() const {
    const std::int64_t t = tokens(), n = visible();
    Operands all{
        .reads = {{"q", {t, heads * head_dim}, dtype}, {"k", {n, kv_heads * head_dim}, kv_dtype, Use::state}},
        .writes = {{"y", {t, heads * v_dim}, dtype}}};
    if (!v_in_k) all.reads.push_back({"v", {n, kv_heads * v_dim}, kv_dtype, Use::state});
    if (sinks) all.reads.push_back({"sinks", {heads}, DType::f32, Use::weight});
    return all;
  }
  Flops flops() const {
    return Flops{heads * (pairs() * (2 * head_dim + 2 * v_dim + 3) + tokens() * (v_dim + 2 * sinks))};
  }
  /// What the naive kernel moves beyond the compulsory: scores written, read and written by the softmax, read
  /// again (f32).
  Bytes unfused_traffic() const {
    return kernel == AttentionKernel::naive ? size_of(4 * heads * pairs(), DType::f32) : Bytes{0};
  }
  template <class Scalar>
  void reference(const Arrays<Scalar>& reads, Arrays<Scalar>& writes) const {
    using std::exp;
    const auto& q = reads[0];
    const auto& k = reads[1];
    const auto& v = v_in_k ? reads[1] : reads[2];
    const std::int64_t group = heads / kv_heads, v_stride = v_in_k ? head_dim : v_dim;
    std::int64_t row = 0, base = 0;
    for (const AttentionSlice& slice : slices) {
      const std::int64_t visible_tokens = slice.visible(window);
      const std::int64_t hidden =
          slice.cached + slice.fresh - visible_tokens;  // tokens before the first operand row
      for (std::int64_t f = 0; f < slice.fresh; ++f, ++row) {
        const std::int64_t last = slice.cached + f;
        const std::int64_t first = window > 0 ? std::max<std::int64_t>(0, last - window + 1) : 0;
        for (std::int64_t h = 0; h < heads; ++h) {
          std::vector<Scalar> p;
          for (std::int64_t c = first; c <= last; ++c) {
            Scalar dot{0};
            for (std::int64_t d = 0; d < head_dim; ++d) {
              dot = dot + q[static_cast<std::size_t>((row * heads + h) * head_dim + d)] *
                              k[static_cast<std::size_t>(
                                  ((base + c - hidden) * kv_heads + h / group) * head_dim + d)];
            }
            p.push_back(dot * Scalar{scale});
          }
          Scalar top = p[0];
          for (const Scalar& s : p) top = top < s ? s : top;
          const Scalar sink = sinks ? reads.back()[static_cast<std::size_t>(h)] : Scalar{0};
          if (sinks && top < sink) top = sink;
          Scalar sum{0};
          for (Scalar& s : p) {
            s = exp(s - top);
            sum = sum + s;
          }
          if (sinks) sum = sum + exp(sink - top);
          const Scalar norm = reciprocal(sum);
          for (std::int64_t d = 0; d < v_dim; ++d) {
            Scalar y{0};
            for (std::int64_t c = first; c <= last; ++c) {
              y = y + p[static_cast<std::size_t>(c - first)] *
                          v[static_cast<std::size_t>(((base + c - hidden) * kv_heads + h / group) * v_stride +
                                                     d)];
            }
            writes[0][static_cast<std::size_t>((row * heads + h) * v_dim + d)] = y * norm;
          }
        }
      }
      base += visible_tokens;
    }
  }
  static Attention example() {
    return {.slices = {{2, 3}, {1, 5}}, .heads = 4, .kv_heads = 2, .head_dim = 4, .v_dim = 4};
  }
  friend bool operator==(const Attention&, const Attention&) = default;
};

/// Appends the step's keys and values to the paged cache.   k [tokens, kv_heads * head_dim]   v [tokens,
/// kv_heads * v_dim] The written state has the cache's dtype; v_dim 0 when values live inside the keys
/// (latent attention).
struct KvWrite {
  static constexpr std::string_view name = "kv_write", flops_formula = "0";
  std::int64_t tokens = 0, kv_heads = 0, head_dim = 0, v_dim = 0;
  DType dtype = DType::bf16, kv_dtype = DType::bf16;

  Operands operands() const {
    Operands all{.reads = {{"k", {tokens, kv_heads * head_dim}, dtype}},
                 .writes = {{"k_cache", {tokens, kv_heads * head_dim}, kv_dtype, Use::state}}};
    if (v_dim > 0) {
      all.reads.push_back({"v", {tokens, kv_heads * v_dim}, dtype});
      all.writes.push_back({"v_cache", {tokens, kv_heads * v_dim}, kv_dtype, Use::state});
    }
    return all;
  }
  Flops flops() const { return Flops{0}; }
  template <class Scalar>
  void reference(const Arrays<Scalar>& reads, Arrays<Scalar>& writes) const {
    for (std::size_t i = 0; i < reads.size(); ++i) writes[i] = reads[i];
  }
  static KvWrite example() { return {.tokens = 3, .kv_heads = 2, .head_dim = 4, .v_dim = 4}; }
  friend bool operator==(const KvWrite&, const KvWrite&) = default;
};

}  // namespace inferometer
