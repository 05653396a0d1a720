#include "model/nearest_rank.hpp"

#include <gtest/gtest.h>

namespace inferometer {
namespace {

TEST(NearestRank, IsOneOfTheValues) {
  const std::vector<double> five{5, 1, 4, 2, 3};
  EXPECT_EQ(nearest_rank(five, 0), 1);
  EXPECT_EQ(nearest_rank(five, 0.5), 3);
  EXPECT_EQ(nearest_rank(five, 0.6), 3);
  EXPECT_EQ(nearest_rank(five, 0.7), 4);
  EXPECT_EQ(nearest_rank(five, 1), 5);
}

TEST(NearestRank, TakesTheLargerOfTwoAsNear) { EXPECT_EQ(nearest_rank({4, 1, 3, 2}, 0.5), 3); }

TEST(NearestRank, OfOneAndOfNone) {
  EXPECT_EQ(nearest_rank({7}, 0.9), 7);
  EXPECT_EQ(nearest_rank({}, 0.5), 0);
}

}  // namespace
}  // namespace inferometer
