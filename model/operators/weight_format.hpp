#pragma once
#include "model/operators/operand.hpp"

namespace inferometer {

/// How a weight matrix [rows, in] of a product is stored beside its scales:
///   f32, bf16, f16   values only
///   int8             one f32 scale per row                                y = (sum x w) * scale[row]
///   fp8              one f32 scale per matrix                             y = (sum x w) * scale
///   int4             per row and group of 128 inputs an f16 scale and an int4 zero point
///                                                                         w = (q - zero) * scale
///   mxfp4, nvfp4     per row and group of 32, 16 inputs an 8-bit scale     w = q * scale
struct WeightFormat {
  DType dtype = DType::bf16;

  constexpr bool grouped() const {
    return dtype == DType::int4 || dtype == DType::mxfp4 || dtype == DType::nvfp4;
  }
  constexpr bool scaled() const { return dtype == DType::int8 || dtype == DType::fp8; }
  constexpr std::int64_t group() const {
    return dtype == DType::int4 ? 128 : dtype == DType::mxfp4 ? 32 : dtype == DType::nvfp4 ? 16 : 0;
  }
  constexpr std::int64_t groups(std::int64_t in) const { return (in + group() - 1) / group(); }
  /// FLOPs to turn one stored element into a factor.
  constexpr std::int64_t dequantize_flops() const { return dtype == DType::int4 ? 2 : grouped() ? 1 : 0; }

  /// Appends the operands of `matrices` matrices [rows, in], of which `touched` are read (-1: all).
  void append(std::vector<Operand>& reads, std::int64_t matrices, std::int64_t rows, std::int64_t in,
              std::int64_t touched = -1) const {
    const auto part = [&](std::string_view name, std::int64_t r, std::int64_t c, DType d) {
      const std::int64_t moved = touched < 0 ? -1 : touched * r * c;
      reads.push_back({name, matrices == 1 ? Shape{r, c} : Shape{matrices, r, c}, d, Use::weight, moved});
    };
    part("W", rows, in, dtype);
    if (dtype == DType::int8) part("W.scale", rows, 1, DType::f32);
    if (dtype == DType::fp8) part("W.scale", 1, 1, DType::f32);
    if (dtype == DType::int4) {
      part("W.scale", rows, groups(in), DType::f16);
      part("W.zero", rows, groups(in), DType::int4);
    }
    if (dtype == DType::mxfp4) part("W.scale", rows, groups(in), DType::int8);
    if (dtype == DType::nvfp4) part("W.scale", rows, groups(in), DType::fp8);
  }
  constexpr int operands() const { return dtype == DType::int4 ? 3 : grouped() || scaled() ? 2 : 1; }

  /// Row `row` of matrix `matrix` as factors; `first` is the index of W in `reads`.
  template <class Scalar>
  std::vector<Scalar> row(const Arrays<Scalar>& reads, std::size_t first, std::int64_t rows, std::int64_t in,
                          std::int64_t matrix, std::int64_t row) const {
    const std::int64_t start = (matrix * rows + row) * in;
    std::vector<Scalar> w(reads[first].begin() + start, reads[first].begin() + start + in);
    if (!grouped()) return w;
    for (std::int64_t i = 0; i < in; ++i) {
      const auto g = static_cast<std::size_t>((matrix * rows + row) * groups(in) + i / group());
      Scalar& value = w[static_cast<std::size_t>(i)];
      if (dtype == DType::int4) value = value - reads[first + 2][g];
      value = value * reads[first + 1][g];
    }
    return w;
  }
  /// The factor that the sum of row `row` is multiplied by (scaled() formats only).
  template <class Scalar>
  Scalar scale(const Arrays<Scalar>& reads, std::size_t first, std::int64_t rows, std::int64_t matrix,
               std::int64_t row) const {
    return reads[first + 1][static_cast<std::size_t>(dtype == DType::int8 ? matrix * rows + row : matrix)];
  }
  friend bool operator==(const WeightFormat&, const WeightFormat&) = default;
};

/// Values of one scale per row (int8, dynamic) or one per tensor (fp8, static) that quantised inputs carry.
constexpr std::int64_t input_scales(DType x, std::int64_t rows) {
  return x == DType::int8 ? rows : x == DType::fp8 ? 1 : 0;
}

}  // namespace inferometer
