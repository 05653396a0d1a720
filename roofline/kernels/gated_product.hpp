#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "roofline/kernels/chip.hpp"
#include "roofline/kernels/format.hpp"
#include "roofline/kernels/kernel_time.hpp"
#include "roofline/kernels/parameter.hpp"

namespace inferometer {

/// y = SiLU(x Gᵀ) * (x Uᵀ) of many rows by the kernel that executes steps here, whose tiles are known; Gemm
/// is of libraries' products.   x [m, k]   G, U [n, k]   y [m, n]
struct GatedProduct {
  static constexpr std::string_view name = "gated_product";
  Format format = Format::bf16;
  std::int64_t m = 1, n = 1, k = 1;

  std::string variant() const { return std::string{inferometer::name(format)}; }
  std::vector<std::int64_t> shape() const { return {n, k}; }
  std::string label() const;
  std::vector<double> features() const;
  DType multiplied() const { return info(format).multiplied; }
  std::span<const KernelParameter> parameters() const;

  /// Pairs of tiles in turns, each as long as its products or what feeds them takes; or memory, which rows of
  /// W come from once for as many rows of x as are cached meanwhile; a part of the shorter of the two, a
  /// floor, and the power limit's stretch of long dense work.
  ///
  /// returns  the time with its parts [us]
  /// source   tile and wave quantisation: NVIDIA, "Matrix Multiplication Background User's Guide"; the tiles:
  ///          gated_tiles(), which the executor asks too
  KernelTime time(const Chip& chip, Values p) const;
};

}  // namespace inferometer
