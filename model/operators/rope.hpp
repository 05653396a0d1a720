#pragma once
#include "model/operators/operand.hpp"

namespace inferometer {

/// Rotary position embedding of the last `rotary` of each head's `head_dim` (all of it unless latent
/// attention or a partial factor says otherwise), queries and keys together. q [tokens, q_heads * head_dim]
/// k [tokens, k_heads * k_dim] Pairs (i, i + rotary/2), or (2i, 2i+1) when interleaved; cos and sin per token
/// are a table row made in advance. source: Su et al., "RoFormer", arXiv 2104.09864
struct RopeApply {
  static constexpr std::string_view name = "rope",
                                    flops_formula = "3 * tokens * (q_heads + k_heads) * rotary";
  std::int64_t tokens = 0, q_heads = 0, k_heads = 0;
  std::int64_t q_dim = 0,
               k_dim = 0;  ///< head sizes; the rotated part begins at q_dim - rotary (at 0 when leading)
  std::int64_t rotary = 0;
  bool interleaved = false;
  bool leading = true;  ///< the rotated part comes first (Llama) or last (latent attention) in a query head
  DType dtype = DType::bf16;

  Operands operands() const {
    const std::int64_t q = tokens * q_heads * rotary, k = tokens * k_heads * rotary;
    return {.reads = {{"q", {tokens, q_heads * q_dim}, dtype, Use::activation, q},
                      {"k", {tokens, k_heads * k_dim}, dtype, Use::activation, k},
                      {"cos_sin", {tokens, rotary}, DType::f32, Use::index}},
            .writes = {{"q", {tokens, q_heads * q_dim}, dtype, Use::activation, q},
                       {"k", {tokens, k_heads * k_dim}, dtype, Use::activation, k}}};
  }
  Flops flops() const { return Flops{3 * tokens * (q_heads + k_heads) * rotary}; }
  template <class Scalar>
  void reference(const Arrays<Scalar>& reads, Arrays<Scalar>& writes) const {
    writes[0] = reads[0];
    writes[1] = reads[1];
    rotate(writes[0], reads[2], q_heads, q_dim, leading ? 0 : q_dim - rotary);
    rotate(writes[1], reads[2], k_heads, k_dim, leading ? 0 : k_dim - rotary);
  }
  template <class Scalar>
  void rotate(std::vector<Scalar>& x, const std::vector<Scalar>& cos_sin, std::int64_t heads,
              std::int64_t dim, std::int64_t offset) const {
    const std::int64_t half = rotary / 2;
    for (std::int64_t t = 0; t < tokens; ++t) {
      for (std::int64_t h = 0; h < heads; ++h) {
        const std::int64_t start = (t * heads + h) * dim + offset;
        for (std::int64_t i = 0; i < half; ++i) {
          Scalar& a = x[static_cast<std::size_t>(start + (interleaved ? 2 * i : i))];
          Scalar& b = x[static_cast<std::size_t>(start + (interleaved ? 2 * i + 1 : i + half))];
          const Scalar c = cos_sin[static_cast<std::size_t>(t * rotary + i)];
          const Scalar s = cos_sin[static_cast<std::size_t>(t * rotary + half + i)];
          const Scalar turned = a * c - b * s;
          b = a * s + b * c;
          a = turned;
        }
      }
    }
  }
  static RopeApply example() {
    return {.tokens = 3, .q_heads = 2, .k_heads = 1, .q_dim = 8, .k_dim = 8, .rotary = 8};
  }
};

}  // namespace inferometer
