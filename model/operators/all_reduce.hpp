#pragma once
#include "model/operators/operand.hpp"

namespace inferometer {

/// Sum over ranks, result on each: y = sum_r x_r.   x [tokens, width] on this rank, y [tokens, width]
/// Counted per rank and as a ring has it: each rank adds its (ranks - 1) / ranks share; what crosses the link
/// is the cost model's business (roofline/collective). reference() holds all ranks' inputs one after another.
struct AllReduce {
  static constexpr std::string_view name = "all_reduce",
                                    flops_formula = "(ranks - 1) * tokens * width / ranks";
  std::int64_t tokens = 0, width = 0, ranks = 1;
  DType dtype = DType::bf16;

  Operands operands() const {
    return {.reads = {{"x", {tokens, width}, dtype}}, .writes = {{"y", {tokens, width}, dtype}}};
  }
  Flops flops() const { return Flops{(ranks - 1) * tokens * width / ranks}; }
  /// This rank's share of the reduction; reads[0] is this rank's input, standing for each of the others'.
  template <class Scalar>
  void reference(const Arrays<Scalar>& reads, Arrays<Scalar>& writes) const {
    const std::size_t share = reads[0].size() / static_cast<std::size_t>(ranks);
    writes[0] = reads[0];
    for (std::int64_t r = 1; r < ranks; ++r) {
      for (std::size_t i = 0; i < share; ++i) writes[0][i] = writes[0][i] + reads[0][i];
    }
  }
  static AllReduce example() { return {.tokens = 2, .width = 8, .ranks = 4}; }
  friend bool operator==(const AllReduce&, const AllReduce&) = default;
};

}  // namespace inferometer
