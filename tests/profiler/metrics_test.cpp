#include "profiler/metrics.hpp"

#include <gtest/gtest.h>

namespace inferometer {
namespace {

TEST(Metrics, AreKnownOnHopperAndFitTwoPasses) {
  const auto plan = MetricPlan::of("GH100");
  ASSERT_TRUE(plan) << to_string(plan.error());
  EXPECT_FALSE(plan->image().empty());
  EXPECT_LE(plan->passes(), 2U) << "the L2 hit rate needs a pass of its own, all else one together";
}

TEST(Metrics, AnUnknownChipIsAnError) { EXPECT_FALSE(MetricPlan::of("XY999")); }

}  // namespace
}  // namespace inferometer
