#pragma once
#include <algorithm>

#include "model/operators/operand.hpp"

namespace inferometer {

/// Tokens to the ranks that have their experts, or the experts' sums back: a row goes once to each rank with
/// one or more of the token's experts.   x [tokens, width]   y [rows, width]
///   rows = tokens / senders * ranks * p
///   p      that a rank has one of the top_k experts, drawn without return, of which each has experts / ranks:
///          1 - C(experts - experts / ranks, top_k) / C(experts, top_k)
/// `senders` devices hold the same tokens, and each sends its part of them. What crosses the links is the
/// cost model's business (roofline/collective). reference() sends this rank's rows to itself.
/// source  DeepSeek-AI, "DeepEP": tokens are sent to ranks, not to experts
struct AllToAll {
  static constexpr std::string_view name = "all_to_all", flops_formula = "0";
  std::int64_t tokens = 0, width = 0, experts = 1, top_k = 1, ranks = 1, senders = 1;
  DType dtype = DType::bf16;

  std::int64_t rows() const {
    double missed = 1;
    for (std::int64_t i = 0; i < top_k; ++i)
      missed *= static_cast<double>(experts - experts / ranks - i) / static_cast<double>(experts - i);
    const double part = static_cast<double>(ranks) * (1 - std::max(0.0, missed));
    return static_cast<std::int64_t>(
        std::ceil(static_cast<double>(tokens) / static_cast<double>(senders) * part));
  }
  Operands operands() const {
    return {.reads = {{"x", {tokens, width}, dtype}}, .writes = {{"y", {rows(), width}, dtype}}};
  }
  Flops flops() const { return Flops{0}; }
  template <class Scalar>
  void reference(const Arrays<Scalar>& reads, Arrays<Scalar>& writes) const {
    for (std::size_t i = 0; i < writes[0].size(); ++i) writes[0][i] = reads[0][i % reads[0].size()];
  }
  static AllToAll example() { return {.tokens = 2, .width = 8, .experts = 8, .top_k = 2, .ranks = 4}; }
  friend bool operator==(const AllToAll&, const AllToAll&) = default;
};

}  // namespace inferometer
