#include "roofline/kernels/gated_product.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace inferometer {
namespace {

/// An H200's, in the units of kernel models.
constexpr Chip h200{
    .sms = 132, .clock = 1830, .bandwidth = 4.8e6, .l2 = 50e6, .flops = 989e6, .bf16_flops = 989e6};

double time_of_rows(std::int64_t rows) {
  const GatedProduct call{.m = rows, .n = 14336, .k = 4096};
  std::vector<double> values;
  for (const KernelParameter& p : call.parameters()) values.push_back(p.generic);
  return call.time(h200, values).total;
}

TEST(GatedProduct, UpToOneTileOfRowsTakesWhatReadingItsWeightsTakes) {
  const double read_us = 2.0 * 14336 * 4096 * 2 / 4.8e6;
  const double more_outputs_us = (128 - 65) * 14336 * 2 / 4.8e6;
  EXPECT_GE(time_of_rows(128), time_of_rows(65));
  EXPECT_LT(time_of_rows(128), time_of_rows(65) + 3 * more_outputs_us);
  EXPECT_GT(time_of_rows(65), read_us);
  EXPECT_LT(time_of_rows(65), 1.5 * read_us);
}

TEST(GatedProduct, RowsOfOneTileMoreTakeAsLongAsAFullOne) {
  EXPECT_GT(time_of_rows(257), 1.2 * time_of_rows(256));
  EXPECT_NEAR(time_of_rows(384), time_of_rows(257), 0.05 * time_of_rows(257));
}

TEST(GatedProduct, ManyRowsTakeWhatTheMatrixUnitsTake) {
  const double multiply_us = 4.0 * 16384 * 14336 * 4096 / 989e6;
  EXPECT_GT(time_of_rows(16384), multiply_us);
  EXPECT_LT(time_of_rows(16384), 1.6 * multiply_us);
}

}  // namespace
}  // namespace inferometer
