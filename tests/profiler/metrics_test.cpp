#include "profiler/metrics.hpp"

#include <gtest/gtest.h>

namespace inferometer {
namespace {

/// CUPTI loads its library of metrics in a way that AddressSanitizer forbids.
class Metrics : public testing::Test {
 protected:
  void SetUp() override {
#ifdef __SANITIZE_ADDRESS__
    GTEST_SKIP() << "not under AddressSanitizer";
#endif
  }
};

TEST_F(Metrics, AreKnownOnHopperAndFitTwoPasses) {
  const auto plan = MetricPlan::of("GH100");
  ASSERT_TRUE(plan) << to_string(plan.error());
  EXPECT_FALSE(plan->image().empty());
  EXPECT_LE(plan->passes(), 2U) << "the L2 hit rate needs a pass of its own, all else one together";
}

TEST_F(Metrics, AnUnknownChipIsAnError) { EXPECT_FALSE(MetricPlan::of("XY999")); }

}  // namespace
}  // namespace inferometer
