#include "simulator/resources.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace inferometer {
namespace {

constexpr int hbm = 0, link = 1;
const std::vector<double> unit_speed{1, 1};  // 1 B/s of memory, 1 B/s of link

using Speeds = std::vector<double>;
using Demands = std::vector<Demand>;

/// Speeds of tasks that take one second alone, so that amounts are usages.
Speeds speeds_of(const std::vector<Demands>& tasks, const std::vector<double>& capacities = unit_speed) {
  std::vector<Claim> claims;
  for (const Demands& demands : tasks) claims.push_back({.demands = demands, .duration = Seconds{1}});
  return FairShare{capacities}.speeds(claims);
}

TEST(FairShare, NobodyRunsNobodyHasASpeed) { EXPECT_EQ(speeds_of({}), Speeds{}); }

TEST(FairShare, AloneEverythingRunsAtFullSpeed) {
  EXPECT_EQ(speeds_of({{{hbm, 1}, {link, .5}}}), Speeds{1});
  EXPECT_EQ(speeds_of({{{hbm, .1}}}), Speeds{1});  // and no faster, whatever is left
}

TEST(FairShare, EqualTasksSplitEqually) {
  EXPECT_EQ(speeds_of({{{hbm, 1}}, {{hbm, 1}}}), (Speeds{.5, .5}));
  EXPECT_EQ(speeds_of({{{hbm, 1}}, {{hbm, 1}}, {{hbm, 1}}, {{hbm, 1}}}), (Speeds{.25, .25, .25, .25}));
}

TEST(FairShare, DifferentResourcesDoNotDisturbEachOther) {
  EXPECT_EQ(speeds_of({{{hbm, 1}}, {{link, 1}}, {}}), (Speeds{1, 1, 1}));
}

TEST(FairShare, WhoAsksForLessThanAnEqualPartGetsItAll) {
  EXPECT_EQ(speeds_of({{{hbm, 1}}, {{hbm, .25}}}), (Speeds{.75, 1}));
}

TEST(FairShare, TasksThatFitTogetherRunAtExactlyFullSpeed) {
  EXPECT_EQ(speeds_of({{{hbm, .1}}, {{hbm, .2}}, {{hbm, .7}}}),
            (Speeds{1, 1, 1}));  // .1 + .2 + .7 in doubles
}

// A reads memory (1), B copies from memory to the link (.5 and 1), C uses the link (1). All shares at full
// speed are 1, so speeds rise together. At 1/2 the link is full (1/2 + 1/2): B and C stop. Memory carries 1/2
// + 1/4; A rises by the 1/4 that is left, to 3/4.
TEST(FairShare, AFullResourceStopsItsUsersAndTheOthersRiseOn) {
  EXPECT_EQ(speeds_of({{{hbm, 1}}, {{hbm, .5}, {link, 1}}, {{link, 1}}}), (Speeds{.75, .5, .5}));
}

// The copy is the only one on the link, so only its part of the memory counts: 1/4, less than an equal part.
TEST(FairShare, ThatATaskFillsAResourceOfItsOwnTakesNothingFromItsPartOfTheOthers) {
  EXPECT_EQ(speeds_of({{{hbm, 1}}, {{hbm, .25}, {link, 1}}}), (Speeds{.75, 1}));
}

// Capacities 4 and 2, both contended. B's share at full speed is 1/2 of each, A's and C's 1 of one. At level
// 1/2 B reaches full speed and both resources are full: 4/2 + 2 = 4, 1 + 2/2 = 2.
TEST(FairShare, SharesAreRelativeToTheCapacity) {
  EXPECT_EQ(speeds_of({{{hbm, 4}}, {{hbm, 2}, {link, 1}}, {{link, 2}}}, {4, 2}), (Speeds{.5, 1, .5}));
}

TEST(FairShare, ATaskWithoutDurationUsesNothing) {
  const Demands all{{hbm, 1}}, none{{hbm, 0}};
  const std::vector<Claim> claims{{.demands = all, .duration = Seconds{1}}, {.demands = none}};
  EXPECT_EQ(FairShare{unit_speed}.speeds(claims), (Speeds{1, 1}));
}

/// The definition, checked on random claims: no resource above its capacity, and every task runs at full
/// speed or uses a full resource on which nobody has a larger share.
TEST(FairShare, EveryTaskIsAtFullSpeedOrHasABottleneck) {
  std::mt19937 random{1};
  const auto part = [&] { return static_cast<double>(random() % 1001) / 1000; };
  const Speeds capacities{3, .01, 700};
  for (int trial = 0; trial < 3000; ++trial) {
    std::vector<Demands> tasks(1 + random() % 7);
    for (Demands& demands : tasks) {
      for (int r = 0; r < 3; ++r) {
        if (random() % 2 == 0) demands.push_back({r, part() * capacities[r]});
      }
    }
    const Speeds speeds = speeds_of(tasks, capacities);
    Speeds asked(3), used(3), largest(3), share(tasks.size());
    for (const Demands& demands : tasks) {
      for (const auto& [r, amount] : demands) asked[r] += amount;
    }
    for (std::size_t i = 0; i < tasks.size(); ++i) {
      ASSERT_GE(speeds[i], 1. / static_cast<double>(tasks.size()) - 1e-9);
      ASSERT_LE(speeds[i], 1);
      for (const auto& [r, amount] : tasks[i]) {
        used[r] += speeds[i] * amount;
        if (asked[r] > capacities[r]) share[i] = std::max(share[i], speeds[i] * amount / capacities[r]);
      }
      for (const auto& [r, amount] : tasks[i]) {
        if (amount > 0) largest[r] = std::max(largest[r], share[i]);
      }
    }
    for (int r = 0; r < 3; ++r) ASSERT_LE(used[r], capacities[r] * (1 + 2 * capacity_slack));
    for (std::size_t i = 0; i < tasks.size(); ++i) {
      const bool bottleneck = std::any_of(tasks[i].begin(), tasks[i].end(), [&](const Demand& demand) {
        const int r = demand.resource;
        return demand.amount > 0 && used[r] >= capacities[r] * (1 - 1e-6) && share[i] >= largest[r] - 1e-6;
      });
      ASSERT_TRUE(speeds[i] == 1 || bottleneck) << "trial " << trial << ", task " << i;
    }
  }
}

TEST(ValidateDeathTest, RefusesWhatContradictsTheCapacities) {
  const auto check = [](const Demands& demands) { validate({demands, Seconds{2}}, unit_speed); };
  check({{hbm, 2}, {link, 0}});
  EXPECT_DEATH(check({{2, 1}}), "no capacity");
  EXPECT_DEATH(check({{-1, 1}}), "no capacity");
  EXPECT_DEATH(check({{hbm, -1}}), "negative");
  EXPECT_DEATH(check({{hbm, 3}}), "more than its resource gives");
  EXPECT_DEATH(check({{hbm, 1}, {hbm, 1}}), "twice");
}

}  // namespace
}  // namespace inferometer
