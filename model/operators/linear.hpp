#pragma once
#include "model/operators/weight_format.hpp"

namespace inferometer {

/// y = x Wᵀ (+ b) (+ r).   x [tokens, in]   W [out, in]   y, r [tokens, out]
/// FLOPs: one multiply and one add per weight and token; dequantisation, scales, bias and residual counted
/// where they occur. Bytes: each operand once (compulsory traffic).
struct Linear {
  static constexpr std::string_view name = "linear";
  static constexpr std::string_view flops_formula =
      "2 * tokens * in * out + in * out * dequantize + tokens * out * (x_scaled + w_scaled + bias + "
      "residual)";
  std::int64_t tokens = 0, in = 0, out = 0;
  DType x = DType::bf16, y = DType::bf16;
  WeightFormat w{};
  bool bias = false;
  bool residual = false;  ///< r is added, in the dtype of y

  Operands operands() const {
    Operands all{.reads = {{"x", {tokens, in}, x}}, .writes = {{"y", {tokens, out}, y}}};
    if (const std::int64_t scales = input_scales(x, tokens)) {
      all.reads.push_back(
          {"x.scale", {scales, 1}, DType::f32, x == DType::fp8 ? Use::weight : Use::activation});
    }
    w.append(all.reads, 1, out, in);
    if (bias) all.reads.push_back({"b", {out}, DType::f32, Use::weight});
    if (residual) all.reads.push_back({"r", {tokens, out}, y});
    return all;
  }
  Flops flops() const {
    const std::int64_t extra = (input_scales(x, tokens) > 0) + w.scaled() + bias + residual;
    return Flops{2 * tokens * in * out + in * out * w.dequantize_flops() + tokens * out * extra};
  }
  template <class Scalar>
  void reference(const Arrays<Scalar>& reads, Arrays<Scalar>& writes) const {
    const bool x_scaled = input_scales(x, tokens) > 0;
    const std::size_t first = x_scaled ? 2 : 1;
    for (std::int64_t o = 0; o < out; ++o) {
      const std::vector<Scalar> row = w.row(reads, first, out, in, 0, o);
      for (std::int64_t t = 0; t < tokens; ++t) {
        Scalar sum{0};
        for (std::int64_t i = 0; i < in; ++i) {
          sum = sum + reads[0][static_cast<std::size_t>(t * in + i)] * row[static_cast<std::size_t>(i)];
        }
        if (x_scaled) sum = sum * reads[1][static_cast<std::size_t>(x == DType::int8 ? t : 0)];
        if (w.scaled()) sum = sum * w.scale(reads, first, out, 0, o);
        if (bias) sum = sum + reads[reads.size() - (residual ? 2 : 1)][static_cast<std::size_t>(o)];
        if (residual) sum = sum + reads.back()[static_cast<std::size_t>(t * out + o)];
        writes[0][static_cast<std::size_t>(t * out + o)] = sum;
      }
    }
  }
  static Linear example() { return {.tokens = 3, .in = 8, .out = 5}; }
  friend bool operator==(const Linear&, const Linear&) = default;
};

/// One product per head: y[t, h] = x[t, h] W[h]ᵀ.   x [tokens, heads * in]   W [heads, out, in]   y [tokens,
/// heads * out] The absorption products of latent attention (DeepSeek-V2, arXiv 2405.04434).
struct BatchedLinear {
  static constexpr std::string_view name = "batched_linear";
  static constexpr std::string_view flops_formula =
      "2 * tokens * heads * in * out + heads * in * out * dequantize + tokens * heads * out * w_scaled";
  std::int64_t tokens = 0, heads = 0, in = 0, out = 0;
  DType x = DType::bf16, y = DType::bf16;
  WeightFormat w{};

  Operands operands() const {
    Operands all{.reads = {{"x", {tokens, heads * in}, x}}, .writes = {{"y", {tokens, heads * out}, y}}};
    w.append(all.reads, heads, out, in);
    return all;
  }
  Flops flops() const {
    return Flops{2 * tokens * heads * in * out + heads * in * out * w.dequantize_flops() +
                 tokens * heads * out * w.scaled()};
  }
  template <class Scalar>
  void reference(const Arrays<Scalar>& reads, Arrays<Scalar>& writes) const {
    for (std::int64_t h = 0; h < heads; ++h) {
      for (std::int64_t o = 0; o < out; ++o) {
        const std::vector<Scalar> row = w.row(reads, 1, out, in, h, o);
        for (std::int64_t t = 0; t < tokens; ++t) {
          Scalar sum{0};
          for (std::int64_t i = 0; i < in; ++i) {
            sum = sum + reads[0][static_cast<std::size_t>((t * heads + h) * in + i)] *
                            row[static_cast<std::size_t>(i)];
          }
          if (w.scaled()) sum = sum * w.scale(reads, 1, out, h, o);
          writes[0][static_cast<std::size_t>((t * heads + h) * out + o)] = sum;
        }
      }
    }
  }
  static BatchedLinear example() { return {.tokens = 3, .heads = 2, .in = 4, .out = 6}; }
  friend bool operator==(const BatchedLinear&, const BatchedLinear&) = default;
};

}  // namespace inferometer
