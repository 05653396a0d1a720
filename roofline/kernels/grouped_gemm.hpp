#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "roofline/kernels/chip.hpp"
#include "roofline/kernels/format.hpp"
#include "roofline/kernels/kernel_time.hpp"
#include "roofline/kernels/parameter.hpp"

namespace inferometer {

/// One product per group, y_g = x_g W_gᵀ, in one kernel: experts, or heads.   x [rows, k] over all groups
/// W [groups, n, k]   y [rows, n] in bf16. Rows fall to groups at random.
struct GroupedGemm {
  static constexpr std::string_view name = "grouped_gemm";
  Format format = Format::bf16;
  std::int64_t groups = 1;  ///< with a row or more
  std::int64_t rows = 1, n = 1, k = 1;

  std::string variant() const { return std::string{inferometer::name(format)}; }
  std::vector<std::int64_t> shape() const { return {n, k}; }
  std::string label() const;
  std::vector<double> features() const;
  DType multiplied() const { return info(format).multiplied; }
  std::span<const KernelParameter> parameters() const;

  /// The best of tile shapes: the longer of compute (tiles in waves, each fed from L2) and memory, a part of
  /// the shorter one, a floor, and the power limit's stretch of long dense work.
  ///
  /// returns  the time with its parts [us]
  /// source   as Gemm; tiles of a group with a random number of rows: ceil(x / h) is x / h + 1/2 on average
  KernelTime time(const Chip& chip, Values p) const;
};

}  // namespace inferometer
