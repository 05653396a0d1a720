#pragma once
#include "model/architecture.hpp"
#include "model/operators/operand.hpp"

namespace inferometer {

/// y = x + r.   x, r, y [tokens, width]
struct Add {
  static constexpr std::string_view name = "add", flops_formula = "tokens * width";
  std::int64_t tokens = 0, width = 0;
  DType dtype = DType::bf16;

  Operands operands() const {
    return {.reads = {{"x", {tokens, width}, dtype}, {"residual", {tokens, width}, dtype}},
            .writes = {{"y", {tokens, width}, dtype}}};
  }
  Flops flops() const { return Flops{tokens * width}; }
  template <class Scalar>
  void reference(const Arrays<Scalar>& reads, Arrays<Scalar>& writes) const {
    for (std::size_t i = 0; i < reads[0].size(); ++i) writes[0][i] = reads[0][i] + reads[1][i];
  }
  static Add example() { return {.tokens = 3, .width = 8}; }
  friend bool operator==(const Add&, const Add&) = default;
};

/// y = act(gate) * up.   gate, up, y [tokens, width]
/// source: Shazeer, "GLU Variants Improve Transformer", arXiv 2002.05202; clamped_silu: the gpt-oss reference
struct GatedActivation {
  static constexpr std::string_view name = "gated_activation";
  static constexpr std::string_view flops_formula =
      "tokens * width * (2 silu | 9 gelu_tanh | 4 clamped_silu)";
  static constexpr double clamp = 7.0, clamped_alpha = 1.702;
  std::int64_t tokens = 0, width = 0;
  Activation activation = Activation::silu;
  DType dtype = DType::bf16;

  Operands operands() const {
    return {.reads = {{"gate", {tokens, width}, dtype}, {"up", {tokens, width}, dtype}},
            .writes = {{"y", {tokens, width}, dtype}}};
  }
  Flops flops() const {
    const std::int64_t each = activation == Activation::silu        ? 2
                              : activation == Activation::gelu_tanh ? 9
                                                                    : 4;
    return Flops{tokens * width * each};
  }
  template <class Scalar>
  void reference(const Arrays<Scalar>& reads, Arrays<Scalar>& writes) const {
    for (std::size_t i = 0; i < reads[0].size(); ++i) writes[0][i] = apply(reads[0][i], reads[1][i]);
  }
  template <class Scalar>
  Scalar apply(Scalar gate, Scalar up) const {
    using std::exp;
    using std::tanh;
    const Scalar one{1};
    switch (activation) {
      case Activation::silu:
        return gate / (one + exp(-gate)) * up;
      case Activation::gelu_tanh: {
        const Scalar inner = Scalar{0.7978845608028654} * (gate + Scalar{0.044715} * gate * gate * gate);
        return Scalar{0.5} * gate * (one + tanh(inner)) * up;
      }
      case Activation::clamped_silu: {
        const Scalar top{clamp}, bottom{-clamp};
        const Scalar g = top < gate ? top : gate;
        const Scalar u = top < up ? top : up < bottom ? bottom : up;
        return g / (one + exp(-(Scalar{clamped_alpha} * g))) * (u + one);
      }
    }
    return up;
  }
  static GatedActivation example() { return {.tokens = 3, .width = 8}; }
  friend bool operator==(const GatedActivation&, const GatedActivation&) = default;
};

}  // namespace inferometer
