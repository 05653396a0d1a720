#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "roofline/kernels/chip.hpp"
#include "roofline/kernels/format.hpp"
#include "roofline/kernels/kernel_time.hpp"
#include "roofline/kernels/parameter.hpp"

namespace inferometer {

/// y = W x of one row: a stream of weights.   W [n, k]   x [k]   y [n]
struct Gemv {
  static constexpr std::string_view name = "gemv";
  Format format = Format::bf16;
  std::int64_t n = 1, k = 1;

  std::string variant() const { return std::string{inferometer::name(format)}; }
  std::vector<std::int64_t> shape() const { return {n, k}; }
  std::string label() const;
  std::vector<double> features() const;
  DType multiplied() const { return info(format).multiplied; }
  std::span<const KernelParameter> parameters() const;

  /// A floor, the weights' way from memory, and what each turn of rows takes. A warp sums up one row at a
  /// time, eight of them on a multiprocessor, so that rows come in turns of eight on each.
  ///
  /// returns  the time with its parts [us]
  /// source   Williams, Waterman, Patterson, "Roofline", CACM 52(4), 2009; wave quantisation: NVIDIA, "Matrix
  ///          Multiplication Background User's Guide"
  KernelTime time(const Chip& chip, Values p) const;
};

}  // namespace inferometer
