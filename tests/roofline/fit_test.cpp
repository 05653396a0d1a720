#include "roofline/fit.hpp"

#include <gtest/gtest.h>

#include "model/seeded.hpp"
#include "roofline/calibrate.hpp"
#include "tests/roofline/unit_device.hpp"

namespace inferometer {
namespace {

Device plain_device() {
  Device d = unit_device();
  d.memory_bandwidth.value = d.cache_bandwidth.value = BytesPerSecond{50e9};
  d.vector.value = FlopsPerSecond{200e9};
  d.matrix[DType::f32].value = FlopsPerSecond{200e9};
  return d;
}

/// Products, norms and additions of many sizes with the times that `truth` gives them, each off by up to
/// `noise`.
std::vector<CalibrationPoint> points(const Device& d, const Calibration& truth, double noise) {
  std::vector<CalibrationPoint> all;
  std::uint64_t draw = 0;
  const auto add = [&](AnyOperator op) {
    const double off = 1 + noise * static_cast<double>(seeded_uniform(7, ++draw));
    all.push_back(
        {.name = "", .op = op, .time = off * estimate(op, d, truth, {}).time(), .surroundings = {}});
  };
  for (const std::int64_t rows : {1, 3, 9, 40, 200}) {
    for (const std::int64_t width : {100, 400, 1600}) {
      add(Linear{.tokens = rows,
                 .in = width,
                 .out = 2 * width,
                 .x = DType::f32,
                 .y = DType::f32,
                 .w = {DType::f32}});
      add(Add{.tokens = rows, .width = width, .dtype = DType::f32});
    }
  }
  return all;
}

Calibration truth() {
  Calibration c = perfect();
  set(c, "memory_efficiency", 0.6);
  set(c, "matrix_efficiency", 0.9);
  set(c, "half_rows", 5);
  set(c, "launch", 3);
  return c;
}

TEST(Fit, FindsTheParametersThatMadeThePoints) {
  const Device d = plain_device();
  const FitResult fitted =
      fit(points(d, truth(), 0), {"memory_efficiency", "matrix_efficiency", "half_rows", "launch"}, d);
  EXPECT_NEAR(fitted.calibration.get("memory_efficiency", 0), 0.6, 0.01);
  EXPECT_NEAR(fitted.calibration.get("matrix_efficiency", 0), 0.9, 0.01);
  EXPECT_NEAR(fitted.calibration.get("half_rows", 0), 5, 0.2);
  EXPECT_NEAR(fitted.calibration.get("launch", 0), 3, 0.1);
  EXPECT_LT(fitted.quality.median_error, 0.01);
}

TEST(Fit, NoiseMovesItLittleAndOneWildPointLess) {
  const Device d = plain_device();
  std::vector<CalibrationPoint> noisy = points(d, truth(), 0.1);
  noisy[4].time = 30 * noisy[4].time;
  const FitResult fitted = fit(noisy, {"memory_efficiency", "matrix_efficiency", "half_rows", "launch"}, d);
  EXPECT_NEAR(fitted.calibration.get("memory_efficiency", 0), 0.6, 0.06);
  EXPECT_NEAR(fitted.calibration.get("matrix_efficiency", 0), 0.9, 0.09);
  EXPECT_LT(fitted.quality.median_error, 0.1);
}

TEST(Fit, IsTheSameEveryTime) {
  const Device d = plain_device();
  const auto once = fit(points(d, truth(), 0.1), {"memory_efficiency", "launch"}, d);
  const auto again = fit(points(d, truth(), 0.1), {"memory_efficiency", "launch"}, d);
  EXPECT_EQ(once.calibration.get("launch", 0), again.calibration.get("launch", 1));
}

TEST(Fit, AHostHasAtMostTenParameters) { EXPECT_LE(host_parameters().size(), 10U); }

}  // namespace
}  // namespace inferometer
