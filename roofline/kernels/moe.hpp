#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "roofline/kernels/chip.hpp"
#include "roofline/kernels/format.hpp"
#include "roofline/kernels/kernel_time.hpp"
#include "roofline/kernels/moe_routing.hpp"
#include "roofline/kernels/parameter.hpp"

namespace inferometer {

/// A layer of experts on one rank, the most loaded: choice of experts, permutation, grouped products,
/// activation and the weighted sum; no communication.
///   x [tokens, hidden]   y [tokens, hidden] in bf16
///   of each of experts / ep local experts:  W1 [(1 + gated) inter / tp, hidden]   W2 [hidden, inter / tp]
struct MoeLayer {
  static constexpr std::string_view name = "moe";
  Format format = Format::bf16;
  std::int64_t tokens = 1, hidden = 1, inter = 1, topk = 1, experts = 1;
  std::int64_t tp = 1, ep = 1;
  double alpha = 0;       ///< of the power law that experts are chosen by; 0: evenly
  bool agreeing = false;  ///< as Routing has it
  bool gated = true;
  std::string kernel{};  ///< where one of several has parameters of its own

  std::string variant() const;
  std::vector<std::int64_t> shape() const { return {hidden, inter, experts, topk}; }
  std::string label() const;
  std::vector<double> features() const;
  DType multiplied() const { return info(format).multiplied; }
  std::span<const KernelParameter> parameters() const;

  /// Floors of the small kernels and of their traffic, and for each of the two grouped products the best of
  /// tile shapes: the longer of compute (tiles of all experts in waves, as in Gemm) and memory (weights of
  /// experts that have tokens), a part of the shorter one, and the power limit's stretch.
  ///
  /// returns  the time with its parts [us]
  /// source   tile and wave quantisation: NVIDIA, "Matrix Multiplication Background User's Guide"; bytes in
  ///          flight: Little's law
  KernelTime time(const Chip& chip, Values p) const;

  Routing routing() const { return {tokens, topk, experts, ep, alpha, agreeing}; }
};

}  // namespace inferometer
