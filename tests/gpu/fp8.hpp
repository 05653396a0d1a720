#pragma once
#include "tests/gpu/device.hpp"

namespace inferometer {

/// The nearest e4m3 value, ties to even, saturating at 448.
inline float e4m3(float x) {
  if (std::isnan(x)) return x;
  const float size = std::abs(x);
  if (size >= 448) return std::copysign(448.0F, x);
  const float step = std::ldexp(1.0F, std::max(size > 0 ? std::ilogb(size) : -6, -6) - 3);
  return std::copysign(std::nearbyint(size / step) * step, x);
}
/// Its bits: sign, 4 of exponent with a bias of 7, 3 of fraction.
inline std::uint8_t e4m3_bits(float value) {
  const float size = std::abs(value);
  const int sign = std::signbit(value) ? 0x80 : 0;
  if (size < std::ldexp(1.0F, -6))
    return static_cast<std::uint8_t>(sign + static_cast<int>(std::ldexp(size, 9)));
  const int exponent = std::ilogb(size);
  const int fraction = static_cast<int>(std::ldexp(size, 3 - exponent)) - 8;
  return static_cast<std::uint8_t>(sign + (exponent + 7) * 8 + fraction);
}
inline float e4m3_value(std::uint8_t bits) {
  const int exponent = bits >> 3 & 15, fraction = bits & 7;
  if ((bits & 0x7f) == 0x7f) return NAN;
  const float size = exponent == 0 ? std::ldexp(static_cast<float>(fraction), -9)
                                   : std::ldexp(static_cast<float>(8 + fraction), exponent - 10);
  return (bits & 0x80) != 0 ? -size : size;
}

namespace cuda {

/// Rows of e4m3 on the device with a gap behind each; everything that is not filled is NaN.
class Fp8Matrix {
 public:
  Fp8Matrix(std::int64_t rows, std::int64_t width, std::int64_t gap = 16)
      : Fp8Matrix(rows, width, gap, [](std::int64_t) { return std::uint8_t{0x7f}; }) {}
  static Fp8Matrix random(std::int64_t rows, std::int64_t width, std::uint64_t seed, std::int64_t gap = 16) {
    return Fp8Matrix(rows, width, gap, [&](std::int64_t i) {
      return e4m3_bits(e4m3(448.0F * seeded_uniform(mix(seed), static_cast<std::uint64_t>(i))));
    });
  }
  std::uint8_t* data() const { return array_.data(); }
  std::int64_t stride() const { return stride_; }
  std::vector<double> values() const {
    const std::vector<std::uint8_t> all = array_.values();
    std::vector<double> result;
    for (std::int64_t i = 0; i < rows_ * width_; ++i)
      result.push_back(e4m3_value(all[static_cast<std::size_t>(i / width_ * stride_ + i % width_)]));
    return result;
  }
  bool gaps_untouched() const {
    const std::vector<std::uint8_t> all = array_.values();
    for (std::int64_t i = 0; i < rows_ * stride_; ++i) {
      if (i % stride_ >= width_ && all[static_cast<std::size_t>(i)] != 0x7f) return false;
    }
    return true;
  }

 private:
  template <class F>
  Fp8Matrix(std::int64_t rows, std::int64_t width, std::int64_t gap, F bits)
      : rows_(rows), width_(width), stride_(width + gap), array_(fill(rows, width, stride_, bits)) {}
  template <class F>
  static std::vector<std::uint8_t> fill(std::int64_t rows, std::int64_t width, std::int64_t stride, F bits) {
    std::vector<std::uint8_t> all(static_cast<std::size_t>(rows * stride), 0x7f);
    for (std::int64_t i = 0; i < rows * width; ++i)
      all[static_cast<std::size_t>(i / width * stride + i % width)] = bits(i);
    return all;
  }
  std::int64_t rows_, width_, stride_;
  Array<std::uint8_t> array_;
};

}  // namespace cuda
}  // namespace inferometer
