#pragma once
#include "model/operators/operand.hpp"

namespace inferometer {

/// Rotary position embedding of queries and keys together.   q [tokens, q_heads * rotary]   k [tokens,
/// k_heads * rotary] Only the rotated part of each head is an operand; a head may be wider (partial factors,
/// latent attention). Pairs (i, i + rotary/2), or (2i, 2i+1) when interleaved; cos and sin per token are a
/// table row made in advance. source: Su et al., "RoFormer", arXiv 2104.09864
struct RopeApply {
  static constexpr std::string_view name = "rope";
  static constexpr std::string_view flops_formula = "3 * tokens * (q_heads + k_heads) * rotary";
  std::int64_t tokens = 0, q_heads = 0, k_heads = 0, rotary = 0;
  bool interleaved = false;
  DType dtype = DType::bf16;

  Operands operands() const {
    const Operand q{"q", {tokens, q_heads * rotary}, dtype}, k{"k", {tokens, k_heads * rotary}, dtype};
    return {.reads = {q, k, {"cos_sin", {tokens, rotary}, DType::f32, Use::index}}, .writes = {q, k}};
  }
  Flops flops() const { return Flops{3 * tokens * (q_heads + k_heads) * rotary}; }
  template <class Scalar>
  void reference(const Arrays<Scalar>& reads, Arrays<Scalar>& writes) const {
    rotate(reads[0], reads[2], writes[0], q_heads);
    rotate(reads[1], reads[2], writes[1], k_heads);
  }
  template <class Scalar>
  void rotate(const std::vector<Scalar>& x, const std::vector<Scalar>& cos_sin, std::vector<Scalar>& y,
              std::int64_t heads) const {
    const std::int64_t half = rotary / 2;
    for (std::int64_t row = 0; row < tokens * heads; ++row) {
      for (std::int64_t i = 0; i < half; ++i) {
        const auto a = static_cast<std::size_t>(row * rotary + (interleaved ? 2 * i : i));
        const auto b = static_cast<std::size_t>(row * rotary + (interleaved ? 2 * i + 1 : i + half));
        const Scalar c = cos_sin[static_cast<std::size_t>(row / heads * rotary + i)];
        const Scalar s = cos_sin[static_cast<std::size_t>(row / heads * rotary + half + i)];
        y[a] = x[a] * c - x[b] * s;
        y[b] = x[a] * s + x[b] * c;
      }
    }
  }
  static RopeApply example() { return {.tokens = 3, .q_heads = 2, .k_heads = 1, .rotary = 8}; }
  friend bool operator==(const RopeApply&, const RopeApply&) = default;
};

}  // namespace inferometer
