#include "roofline/power_limit.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "model/seeded.hpp"

namespace inferometer {
namespace {

/// Of a step of 10 ms that has the units at work for these parts of it.
UnitTimes parts(double memory, double compute) {
  return {.memory = Seconds{10e-3 * memory}, .compute = Seconds{10e-3 * compute}};
}
constexpr Seconds step{10e-3};

TEST(PowerLimit, ClocksFallWithTheRootOfDemand) {
  const PowerLimit limit{.memory = 0.5, .compute = 2};
  EXPECT_EQ(limit.clock(parts(0.9, 0.1), step), 1) << "0.65 of what the limit leaves";
  EXPECT_NEAR(limit.demand(parts(0.2, 0.8), step), 1.7, 1e-12);
  EXPECT_NEAR(limit.clock(parts(0.2, 0.8), step), std::pow(1.7, -0.5), 1.0 / 256);
  EXPECT_EQ(limit.clock(parts(0.2, 0.8), 2 * step), 1) << "half of it is waited";
  const double clock = 128 * limit.clock(parts(0.3, 0.7), step);
  EXPECT_EQ(clock, std::round(clock)) << "in steps";
}

/// Steps that keep memory and multiprocessors at work by random parts of their times, some for none.
std::vector<SettledStep> settled(const PowerLimit& limit, std::uint64_t count, double noise) {
  std::vector<SettledStep> steps;
  for (std::uint64_t i = 0; i < count; ++i) {
    const auto draw = [&](std::uint64_t key) { return 0.5 * (1 + seeded_uniform(key, i)); };
    const UnitTimes work = parts(0.9 * draw(1), 0.9 * draw(2));
    const double demand = limit.demand(work, step) * (1 + noise * (2 * draw(3) - 1));
    steps.push_back({.work = work, .at_top = step, .clock = demand > 1 ? 1 / std::sqrt(demand) : 1});
  }
  return steps;
}

TEST(PowerLimit, IsFoundFromTheClocksOfSteps) {
  for (const PowerLimit& is : {PowerLimit{0.6, 1.9}, PowerLimit{0.1, 2.5}, PowerLimit{1.2, 1.2}}) {
    const auto found = fit_power_limit(settled(is, 200, 0.1));
    ASSERT_TRUE(found);
    EXPECT_NEAR(found->memory, is.memory, 0.08);
    EXPECT_NEAR(found->compute, is.compute, 0.08);
  }
  // No unit is found to draw less than nothing.
  for (const PowerLimit& is : {PowerLimit{0, 2}, PowerLimit{2, 0}}) {
    const auto found = fit_power_limit(settled(is, 200, 0.1));
    ASSERT_TRUE(found);
    EXPECT_GE(std::min(found->memory, found->compute), 0);
    EXPECT_NEAR(std::max(found->memory, found->compute), 2, 0.08);
  }
  // A few whose clocks had not settled do not move it.
  std::vector<SettledStep> steps = settled({0.6, 1.9}, 200, 0);
  for (std::size_t i = 0; i < steps.size(); i += 20) steps[i].clock = 1;
  const auto found = fit_power_limit(steps);
  ASSERT_TRUE(found);
  EXPECT_NEAR(found->compute, 1.9, 0.1);
}

TEST(PowerLimit, IsNotKnownWhereFewStepsReachIt) {
  EXPECT_FALSE(fit_power_limit({}));
  EXPECT_FALSE(fit_power_limit(settled({0.3, 0.5}, 200, 0))) << "none asks for too much";
  EXPECT_FALSE(fit_power_limit(settled({0.6, 1.9}, 20, 0))) << "some 10 do";
}

}  // namespace
}  // namespace inferometer
