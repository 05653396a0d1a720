#pragma once
#include <string>
#include <vector>

#include "roofline/kernels/chip.hpp"
#include "roofline/kernels/kernel_time.hpp"
#include "roofline/kernels/parameter.hpp"

namespace inferometer {

enum class QuantizeOp : std::uint8_t { static_quantize, compute_scale };
template <>
struct Names<QuantizeOp> {
  static constexpr std::array list{
      std::pair{QuantizeOp::static_quantize, std::string_view{"static_quantize"}},
      std::pair{QuantizeOp::compute_scale, std::string_view{"compute_scale"}}};
};

enum class QuantizedFormat : std::uint8_t { fp8 };
template <>
struct Names<QuantizedFormat> {
  static constexpr std::array list{std::pair{QuantizedFormat::fp8, std::string_view{"fp8"}}};
};

/// x [m, k] from bf16.
///   static_quantize  to fp8, by a scale that is known: reads 2 bytes an element, writes 1
///   compute_scale    what finding the scale of the whole tensor takes besides: reads 2 bytes an element
struct QuantizeKernel {
  static constexpr std::string_view name = "quantize";
  QuantizeOp op = QuantizeOp::static_quantize;
  QuantizedFormat format = QuantizedFormat::fp8;
  std::int64_t m = 1, k = 1;

  std::string variant() const;
  std::vector<std::int64_t> shape() const { return {k}; }
  std::string label() const;
  std::vector<double> features() const;
  DType multiplied() const { return DType::bf16; }
  std::span<const KernelParameter> parameters() const;

  /// A floor, a share of it per row, and traffic: at L2's rate while x fits there, at memory's beyond.
  /// returns  the time with its parts [us]
  /// source   bytes: the kernels' operands
  KernelTime time(const Chip& chip, Values p) const;
};

}  // namespace inferometer
