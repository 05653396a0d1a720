#pragma once
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <limits>
#include <vector>

#include "executor/cuda/device_buffer.hpp"
#include "executor/cuda/gpu.hpp"
#include "executor/cuda/kernels/kernels.hpp"
#include "executor/weights/half.hpp"
#include "model/operators/operand.hpp"
#include "model/seeded.hpp"

namespace inferometer::cuda {

/// Tests that need a GPU are skipped without one, visibly; INFEROMETER_REQUIRE_GPU=1 makes that a failure.
class OnGpu : public testing::Test {
 protected:
  void SetUp() override {
    const Result<Gpu> found = find_gpu(0);
    if (found) {
      gpu = *found;
      queue = {.stream = nullptr, .processors = gpu.processors, .hopper = gpu.hopper()};
      return;
    }
    if (std::getenv("INFEROMETER_REQUIRE_GPU") != nullptr) FAIL() << to_string(found.error());
    GTEST_SKIP() << "no CUDA device";
  }
  void TearDown() override {
    if (gpu.processors > 0) {
      EXPECT_EQ(cudaDeviceSynchronize(), cudaSuccess);
    }
  }
  Gpu gpu;
  Queue queue;
};

/// An array on the device, made from values on the host.
template <class T>
class Array {
 public:
  explicit Array(const std::vector<T>& values) : count_(values.size()) {
    auto made = DeviceBuffer::of(Bytes{static_cast<std::int64_t>(count_ * sizeof(T))});
    EXPECT_TRUE(made);
    memory_ = std::move(*made);
    EXPECT_EQ(cudaMemcpy(memory_.data(), values.data(), count_ * sizeof(T), cudaMemcpyHostToDevice),
              cudaSuccess);
  }
  T* data() const { return reinterpret_cast<T*>(memory_.data()); }
  std::vector<T> values() const {
    std::vector<T> all(count_);
    EXPECT_EQ(cudaMemcpy(all.data(), memory_.data(), count_ * sizeof(T), cudaMemcpyDeviceToHost),
              cudaSuccess);
    return all;
  }

 private:
  std::size_t count_;
  DeviceBuffer memory_;
};

/// Rows of bf16 on the device with a gap behind each; everything that is not filled is NaN.
class Matrix {
 public:
  Matrix(std::int64_t rows, std::int64_t width, std::int64_t gap = 8)
      : Matrix(rows, width, gap, [](std::int64_t) { return std::numeric_limits<float>::quiet_NaN(); }) {}
  static Matrix random(std::int64_t rows, std::int64_t width, std::uint64_t seed, float amplitude = 1.0F,
                       std::int64_t gap = 8) {
    return Matrix(rows, width, gap, [&](std::int64_t i) {
      return amplitude * seeded_uniform(mix(seed), static_cast<std::uint64_t>(i));
    });
  }
  In in() const { return {array_.data(), stride_}; }
  Out out() const { return {array_.data(), stride_}; }
  const Bf16* data() const { return array_.data(); }
  std::vector<double> values() const {
    const std::vector<Bf16> all = array_.values();
    std::vector<double> result;
    for (std::int64_t i = 0; i < rows_ * width_; ++i)
      result.push_back(bf16_to_float(all[static_cast<std::size_t>(i / width_ * stride_ + i % width_)]));
    return result;
  }
  /// Whether no value was written behind a row's end.
  bool gaps_untouched() const {
    const std::vector<Bf16> all = array_.values();
    for (std::int64_t i = 0; i < rows_ * stride_; ++i) {
      if (i % stride_ >= width_ && !std::isnan(bf16_to_float(all[static_cast<std::size_t>(i)]))) return false;
    }
    return true;
  }

 private:
  template <class F>
  Matrix(std::int64_t rows, std::int64_t width, std::int64_t gap, F value)
      : rows_(rows), width_(width), stride_(width + gap), array_(fill(rows, width, stride_, value)) {}
  template <class F>
  static std::vector<Bf16> fill(std::int64_t rows, std::int64_t width, std::int64_t stride, F value) {
    std::vector<Bf16> all(static_cast<std::size_t>(rows * stride), 0x7fc0);
    for (std::int64_t i = 0; i < rows * width; ++i)
      all[static_cast<std::size_t>(i / width * stride + i % width)] = float_to_bf16(value(i));
    return all;
  }
  std::int64_t rows_, width_, stride_;
  Array<Bf16> array_;
};

/// |x - y| / |y|; infinite when x has a NaN.
inline double distance(const std::vector<double>& x, const std::vector<double>& y) {
  EXPECT_EQ(x.size(), y.size());
  double difference = 0, size = 0;
  for (std::size_t i = 0; i < y.size(); ++i) {
    if (!std::isfinite(x[i])) return std::numeric_limits<double>::infinity();
    difference += (x[i] - y[i]) * (x[i] - y[i]);
    size += y[i] * y[i];
  }
  return size == 0 ? std::sqrt(difference) : std::sqrt(difference / size);
}

/// What an operator's reference makes of `reads`, computed in double precision.
template <class Operator>
Arrays<double> reference(const Operator& op, const Arrays<double>& reads) {
  Arrays<double> writes;
  for (const Operand& w : op.operands().writes)
    writes.emplace_back(static_cast<std::size_t>(w.shape.elements()));
  op.reference(reads, writes);
  return writes;
}

/// One rounding to bf16 is at most 2^-9 of each value; two roundings, and sums in f32, stay below this.
inline constexpr double bf16_tolerance = 4e-3;

}  // namespace inferometer::cuda
