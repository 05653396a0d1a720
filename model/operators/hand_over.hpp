#pragma once
#include "model/operators/operand.hpp"

namespace inferometer {

/// What a stage of a pipeline gives to the next one, device by device: y = x.   x, y [tokens, width]
/// What crosses the link is the cost model's business (roofline/hand_over).
struct HandOver {
  static constexpr std::string_view name = "hand_over", flops_formula = "0";
  std::int64_t tokens = 0, width = 0;
  DType dtype = DType::bf16;

  Operands operands() const {
    return {.reads = {{"x", {tokens, width}, dtype}}, .writes = {{"y", {tokens, width}, dtype}}};
  }
  Flops flops() const { return Flops{0}; }
  template <class Scalar>
  void reference(const Arrays<Scalar>& reads, Arrays<Scalar>& writes) const {
    writes[0] = reads[0];
  }
  static HandOver example() { return {.tokens = 2, .width = 8}; }
  friend bool operator==(const HandOver&, const HandOver&) = default;
};

}  // namespace inferometer
