#pragma once
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <ostream>
#include <string>
#include <vector>

#include "executor/cpu/bf16.hpp"
#include "executor/cpu/kernels.hpp"
#include "model/seeded.hpp"

namespace inferometer::cpu {

/// Rows in f32 or bf16 with a gap behind each; everything that is not filled is NaN.
class Matrix {
 public:
  Matrix(DType dtype, std::int64_t rows, std::int64_t width, std::int64_t gap = 3)
      : dtype_(dtype), rows_(rows), width_(width), stride_(width + gap) {
    floats_.assign(static_cast<std::size_t>(rows * stride_), std::numeric_limits<float>::quiet_NaN());
    halves_.assign(floats_.size(), to_bf16(floats_.empty() ? 0.0F : floats_[0]));
  }
  /// Seeded values in [-amplitude, amplitude), as `dtype` holds them.
  static Matrix random(DType dtype, std::int64_t rows, std::int64_t width, std::uint64_t seed,
                       float amplitude = 1.0F, std::int64_t gap = 3) {
    Matrix m{dtype, rows, width, gap};
    for (std::int64_t i = 0; i < rows * width; ++i) {
      m.set(i / width, i % width, amplitude * seeded_uniform(seed, static_cast<std::uint64_t>(i)));
    }
    return m;
  }
  void set(std::int64_t row, std::int64_t column, float x) {
    floats_[at(row, column)] = x;
    halves_[at(row, column)] = to_bf16(x);
  }
  double operator()(std::int64_t row, std::int64_t column) const {
    return dtype_ == DType::bf16 ? to_float(halves_[at(row, column)]) : floats_[at(row, column)];
  }
  std::vector<double> values() const {
    std::vector<double> all;
    for (std::int64_t i = 0; i < rows_ * width_; ++i) all.push_back((*this)(i / width_, i % width_));
    return all;
  }
  void* data() { return dtype_ == DType::bf16 ? static_cast<void*>(halves_.data()) : floats_.data(); }
  In in() { return {data(), stride_}; }
  Out out() { return {data(), stride_}; }
  std::int64_t stride() const { return stride_; }
  DType dtype() const { return dtype_; }
  /// Whether no value was written behind a row's end.
  bool gaps_untouched() const {
    for (std::int64_t r = 0; r < rows_; ++r) {
      for (std::int64_t c = width_; c < stride_; ++c) {
        if (!std::isnan((*this)(r, c))) return false;
      }
    }
    return true;
  }

 private:
  std::size_t at(std::int64_t row, std::int64_t column) const {
    return static_cast<std::size_t>(row * stride_ + column);
  }
  DType dtype_;
  std::int64_t rows_, width_, stride_;
  std::vector<float> floats_;
  std::vector<bf16> halves_;
};

/// |a - b| / |b|; NaN in either makes it NaN, which no tolerance accepts.
inline double distance(const std::vector<double>& a, const std::vector<double>& b) {
  EXPECT_EQ(a.size(), b.size());
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference += (a[i] - b[i]) * (a[i] - b[i]);
    norm += b[i] * b[i];
  }
  return norm == 0 ? std::sqrt(difference) : std::sqrt(difference / norm);
}
/// What a kernel that computes in f32 and rounds its result once may be off by: bf16 has 8 significant bits.
inline double tolerance(DType dtype) { return dtype == DType::bf16 ? 1.0 / 256 : 1e-6; }

/// Each kernel test runs with each instruction set that this CPU has, and with each storage type.
struct Setting {
  const Variant* variant;
  DType dtype;
};
inline std::vector<Setting> settings() {
  std::vector<Setting> all;
  for (const Variant& v : variants()) {
    for (const DType dtype : {DType::f32, DType::bf16}) all.push_back({&v, dtype});
  }
  return all;
}
inline std::string setting_name(const testing::TestParamInfo<Setting>& info) {
  return std::string{info.param.variant->name} + "_" + std::string{name(info.param.dtype)};
}
class CpuKernels : public testing::TestWithParam<Setting> {
 protected:
  const Kernels& k = *GetParam().variant->kernels;
  DType dtype = GetParam().dtype;
};

}  // namespace inferometer::cpu
