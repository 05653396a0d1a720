#pragma once
#include "model/operators/operand.hpp"

namespace inferometer {

/// Quantises the inputs of a matrix product.   x, q [tokens, width]
/// int8: dynamic, one scale per token, scale = max|x| / 127, q = round(x / scale)    scale [tokens]
/// fp8:  static, one scale per tensor that is known in advance, q = x / scale        scale [1] is read
struct Quantize {
  static constexpr std::string_view name = "quantize";
  static constexpr std::string_view flops_formula = "tokens * (width + 1) int8 | tokens * width fp8";
  std::int64_t tokens = 0, width = 0;
  DType dtype = DType::bf16, to = DType::int8;

  bool dynamic() const { return to == DType::int8; }
  Operands operands() const {
    Operands all{.reads = {{"x", {tokens, width}, dtype}}, .writes = {{"q", {tokens, width}, to}}};
    if (dynamic()) {
      all.writes.push_back({"scale", {tokens, 1}, DType::f32});
    } else {
      all.reads.push_back({"scale", {1}, DType::f32, Use::weight});
    }
    return all;
  }
  Flops flops() const { return Flops{tokens * (width + (dynamic() ? 1 : 0))}; }
  template <class Scalar>
  void reference(const Arrays<Scalar>& reads, Arrays<Scalar>& writes) const {
    for (std::int64_t t = 0; t < tokens; ++t) {
      const std::size_t start = static_cast<std::size_t>(t * width);
      Scalar scale = dynamic() ? Scalar{0} : reads[1][0];
      if (dynamic()) {
        Scalar top{0};
        for (std::int64_t i = 0; i < width; ++i) {
          const Scalar x = reads[0][start + static_cast<std::size_t>(i)];
          const Scalar magnitude = x < Scalar{0} ? -x : x;
          if (top < magnitude) top = magnitude;
        }
        scale = top * Scalar{1.0 / 127.0};
        writes[1][static_cast<std::size_t>(t)] = scale;
      }
      const Scalar factor = Scalar{0} < scale ? reciprocal(scale) : Scalar{0};
      for (std::int64_t i = 0; i < width; ++i) {
        const auto at = start + static_cast<std::size_t>(i);
        writes[0][at] = reads[0][at] * factor;  // rounding to the stored format is the array's business
      }
    }
  }
  static Quantize example() { return {.tokens = 3, .width = 8}; }
  friend bool operator==(const Quantize&, const Quantize&) = default;
};

}  // namespace inferometer
