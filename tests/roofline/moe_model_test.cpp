#include "roofline/kernels/moe.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace inferometer {
namespace {

std::vector<double> generic(const MoeLayer& layer) {
  std::vector<double> values;
  for (const KernelParameter& p : layer.parameters()) values.push_back(p.generic);
  return values;
}

Chip chip() {
  return {.sms = 132, .clock = 1980, .bandwidth = 4.8e6, .l2 = 50e6, .flops = 989e6, .bf16_flops = 989e6};
}

MoeLayer layer() { return {.tokens = 64, .hidden = 2048, .inter = 768, .topk = 8, .experts = 128}; }

TEST(MoeRouting, ConservesAssignmentsOnOneRank) {
  for (const double alpha : {0.0, 1.0, 1.01, 1.2}) {
    for (const std::int64_t tokens : {1, 2, 7, 64, 130, 5000}) {
      const RoutedLoad load =
          route({.tokens = tokens, .topk = 8, .experts = 128, .ranks = 1, .alpha = alpha});
      EXPECT_NEAR(load.assignments, 8.0 * static_cast<double>(tokens), 1e-6) << alpha << " " << tokens;
      EXPECT_LE(load.largest, static_cast<double>(tokens));
    }
  }
}

TEST(MoeRouting, EvenChoicesReachAsManyExpertsAsTheyCan) {
  const auto active = [](std::int64_t tokens) {
    return route({.tokens = tokens, .topk = 8, .experts = 128, .ranks = 1}).active;
  };
  EXPECT_EQ(active(1), 8);
  EXPECT_EQ(active(8), 64);
  EXPECT_EQ(active(16), 128);
  EXPECT_EQ(active(1000), 128);
}

TEST(MoeRouting, EvenLoadsDifferByOneTokenForEachChoiceAtMost) {
  const RoutedLoad load = route({.tokens = 1000, .topk = 8, .experts = 128, .ranks = 4});
  EXPECT_NEAR(load.assignments, 2000, 8 * 32);
  EXPECT_NEAR(load.largest, 62.5, 8);
}

TEST(MoeRouting, TheTimedRankHasMoreThanItsShareWherePopularityDiffers) {
  const RoutedLoad load = route({.tokens = 1000, .topk = 8, .experts = 128, .ranks = 16, .alpha = 1.2});
  EXPECT_GT(load.assignments, 500);
  EXPECT_LE(load.active, 8 + 1e-9);
}

TEST(MoeRouting, FewTokensThatAgreeReachFewerExperts) {
  const auto of = [](std::int64_t tokens, double alpha, std::int64_t ranks, bool agreeing) {
    return route(
        {.tokens = tokens, .topk = 8, .experts = 160, .ranks = ranks, .alpha = alpha, .agreeing = agreeing});
  };
  for (const double alpha : {1.01, 1.2}) {
    EXPECT_NEAR(of(1, alpha, 4, true).active, 8, 1e-9) << "neighbours, on one rank";
    for (const std::int64_t tokens : {2, 4, 8, 16, 20}) {
      EXPECT_LT(of(tokens, alpha, 1, true).active, of(tokens, alpha, 1, false).active) << tokens;
      EXPECT_NEAR(of(tokens, alpha, 1, true).assignments, 8.0 * static_cast<double>(tokens), 1e-6) << tokens;
    }
    EXPECT_EQ(of(21, alpha, 4, true).tiles, of(21, alpha, 4, false).tiles) << "more choices than experts";
  }
  // By hand: of 160 draws in [0.01, 2] from x^-1.2, scaled to 16, 7 or 8 round to 1, which get the other 8
  // too.
  EXPECT_NEAR(of(2, 1.2, 1, true).active, 9, 1.5);
  EXPECT_NEAR(of(2, 1.01, 1, true).active, 13.5, 1.5);
}

TEST(MoeRouting, IsTheSameWheneverItIsAskedFor) {
  const Routing routing{.tokens = 33, .topk = 2, .experts = 8, .ranks = 2, .alpha = 1.01};
  EXPECT_EQ(routed(routing).tiles, route(routing).tiles);
  EXPECT_EQ(&routed(routing), &routed(routing));
}

TEST(MoeLayer, TakesLongerForMoreTokens) {
  MoeLayer moe = layer();
  for (const double alpha : {0.0, 1.2}) {
    moe.alpha = alpha;
    double before = 0;
    for (moe.tokens = 1; moe.tokens <= 65536; moe.tokens *= 4) {
      const double now = moe.time(chip(), generic(moe)).total;
      EXPECT_GT(now, before) << moe.label();
      before = now;
    }
  }
}

TEST(MoeLayer, ReadsTheWeightsOfExpertsWithTokens) {
  MoeLayer moe = layer();
  const double one = moe.time(chip(), generic(moe)).memory;
  moe.tokens = 1;
  EXPECT_LT(moe.time(chip(), generic(moe)).memory, one / 8);
}

TEST(MoeLayer, HasParametersOfItsOwnForASeparateKernelOnly) {
  MoeLayer moe = layer();
  EXPECT_EQ(moe.variant(), "bf16");
  moe.kernel = "min_latency";
  EXPECT_EQ(moe.variant(), "bf16/min_latency");
  EXPECT_LE(moe.parameters().size(), 16U);
  for (const KernelParameter& p : moe.parameters()) {
    EXPECT_LT(p.low, p.generic) << p.name;
    EXPECT_LT(p.generic, p.high) << p.name;
  }
}

}  // namespace
}  // namespace inferometer
