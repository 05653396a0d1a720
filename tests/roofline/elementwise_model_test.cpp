#include <gtest/gtest.h>

#include "roofline/kernels/kernel_call.hpp"

namespace inferometer {
namespace {

Chip chip() {
  return {.sms = 100, .clock = 2000, .bandwidth = 4e6, .l2 = 50e6, .flops = 1e9, .bf16_flops = 1e9};
}
double time_of_generic(const Elementwise& e) {
  std::vector<double> values;
  for (const KernelParameter& p : e.parameters()) values.push_back(p.generic);
  return e.time(chip(), values).total;
}

/// A norm of rows in bf16, with its weights.
Elementwise norm(std::int64_t rows, std::int64_t width) {
  return {.ops = "rms_norm", .rows = rows, .row_bytes = 4 * width, .fixed_bytes = 2 * width};
}
double time_per_element(std::int64_t rows, std::int64_t width) {
  return time_of_generic(norm(rows, width)) / static_cast<double>(rows * width);
}

TEST(Elementwise, RowsThatFillWhatABlockIsMadeForAreTheFastestForTheirSize) {
  // A piece is 2048 elements: 4608 are 2.25 of 4 of them, 4096 and 8192 fill all.
  EXPECT_GT(time_per_element(16384, 4608), 1.1 * time_per_element(16384, 4096));
  EXPECT_GT(time_per_element(16384, 4608), 1.1 * time_per_element(16384, 8192));
}

TEST(Elementwise, AFewLongRowsTakeAStepAtEachDoublingOfPieces) {
  EXPECT_LT(time_of_generic(norm(8, 4096)) + 0.1, time_of_generic(norm(8, 4104)));
}

TEST(Elementwise, AScaleBesideTheWeightsIsNoFurtherPiece) {
  Elementwise scaled = norm(8, 4096);
  scaled.fixed_bytes += 4;
  EXPECT_NEAR(time_of_generic(scaled), time_of_generic(norm(8, 4096)), 0.01);
}

TEST(Elementwise, OnlyRowsOfTheWidthOfTheirWeightsAreHeld) {
  Elementwise plain = norm(16384, 4608), full = norm(16384, 4096);
  plain.fixed_bytes = full.fixed_bytes = 0;
  EXPECT_NEAR(time_of_generic(plain) / time_of_generic(full), 4608. / 4096, 0.01);
  // Experts in one kernel read matrices.
  const Elementwise experts{.ops = "experts", .rows = 1, .row_bytes = 16384, .fixed_bytes = 100'000'000};
  EXPECT_LT(time_of_generic(experts), 1e8 / chip().bandwidth / 0.8);
}

}  // namespace
}  // namespace inferometer
