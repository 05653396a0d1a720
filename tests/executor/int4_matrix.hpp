#pragma once
#include <algorithm>
#include <cmath>
#include <vector>

#include "model/operators/weight_format.hpp"

namespace inferometer {

/// A matrix [rows, in] rounded to int4 in groups along its rows, as operands of a product's reference().
struct Int4Matrix {
  std::vector<double> q;              ///< [rows, in]
  std::vector<double> scales, zeros;  ///< [rows, groups]
  std::vector<float> values;          ///< (q - zero) * scale, [rows, in]
};

/// To the nearest half precision number, ties to even.
/// requires |x| < 65520
inline float round_to_f16(float x) {
  int exponent = 0;
  std::frexp(x, &exponent);
  const float step = std::ldexp(1.0F, std::max(exponent - 11, -24));
  return std::nearbyint(x / step) * step;
}

/// Asymmetric round-to-nearest: a group's least and greatest value, and zero, are within its range.
inline Int4Matrix to_int4(const std::vector<float>& w, std::int64_t rows, std::int64_t in) {
  constexpr WeightFormat format{DType::int4};
  Int4Matrix m;
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t first = 0; first < in; first += format.group()) {
      const auto from = w.begin() + r * in + first, to = from + std::min(format.group(), in - first);
      const float low = std::min(0.0F, *std::min_element(from, to)),
                  high = std::max(0.0F, *std::max_element(from, to)),
                  scale = round_to_f16((high - low) / 15.0F),
                  zero = scale > 0 ? std::min(15.0F, std::nearbyint(-low / scale)) : 0.0F;
      m.scales.push_back(scale);
      m.zeros.push_back(zero);
      for (auto x = from; x != to; ++x) {
        const float q = scale > 0 ? std::clamp(std::nearbyint(*x / scale) + zero, 0.0F, 15.0F) : 0.0F;
        m.q.push_back(q);
        m.values.push_back((q - zero) * scale);
      }
    }
  }
  return m;
}

}  // namespace inferometer
