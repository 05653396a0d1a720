#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "roofline/kernels/chip.hpp"
#include "roofline/kernels/format.hpp"
#include "roofline/kernels/kernel_time.hpp"
#include "roofline/kernels/parameter.hpp"

namespace inferometer {

/// y = x Wᵀ.   x [m, k]   W [n, k]   y [m, n] in bf16, with the kernels that quantise x where the format
/// does.
struct Gemm {
  static constexpr std::string_view name = "gemm";
  Format format = Format::bf16;
  std::int64_t m = 1, n = 1, k = 1;

  std::string variant() const { return std::string{inferometer::name(format)}; }
  std::vector<std::int64_t> shape() const { return {n, k}; }
  std::string label() const;
  std::vector<double> features() const;
  DType multiplied() const { return info(format).multiplied; }
  std::span<const KernelParameter> parameters() const;

  /// The best of tile shapes and splits of k: the longer of compute (tiles in waves, each fed from L2) and
  /// memory, a part of the shorter one, a floor, and the power limit's stretch of long dense work.
  ///
  /// returns  the time with its parts [us]
  /// source   tile and wave quantisation: NVIDIA, "Matrix Multiplication Background User's Guide"; bytes in
  ///          flight: Little's law
  KernelTime time(const Chip& chip, Values p) const;
};

}  // namespace inferometer
