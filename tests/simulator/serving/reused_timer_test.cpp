#include "simulator/serving/reused_timer.hpp"

#include <gtest/gtest.h>

#include "simulator/serving/metrics.hpp"
#include "tests/simulator/serving/workloads.hpp"

namespace inferometer {
namespace {

struct Totals final : Batch {
  Totals(AttendedLengths single, AttendedLengths prompts) {
    totals.attended.single = single;
    totals.attended.prompts = prompts;
    totals.logit_rows = totals.sequences();
  }
  void slices(std::vector<BatchSlice>&) const override {}
};
/// So many decodes behind so many tokens in all.
Totals decodes(std::int64_t n, std::int64_t all) { return {{n, n, all}, {}}; }

/// Takes 100, 10, 30, 20 ns, 100, ...
struct UnsteadyTimer final : BatchTimer {
  std::vector<std::int32_t> gone;
  int calls = 0;
  Result<Nanoseconds> time(const Batch&) override {
    constexpr std::array times{100, 10, 30, 20};
    return Nanoseconds{times[static_cast<std::size_t>(calls++ % 4)]};
  }
  void left(std::int32_t request) override { gone.push_back(request); }
};

TEST(ReusedTimer, TakesTheMedianOfThreeBehindAWarmOneAndKeepsIt) {
  UnsteadyTimer executes;
  ReusedTimer timer(executes);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(timer.time(decodes(4, 1000)).value(), Nanoseconds{20});
  EXPECT_EQ(executes.calls, 4);
  ASSERT_EQ(timer.steps().size(), 1U);
  EXPECT_EQ(timer.steps().front().time, Nanoseconds{20});
  timer.left(7);
  EXPECT_EQ(executes.gone, std::vector<std::int32_t>{7});
}

TEST(ReusedTimer, StepsAreAlikeWithinASixteenthOfWhatTheyAttend) {
  UnsteadyTimer executes;
  ReusedTimer timer(executes);
  const auto executed = [&](const Batch& batch) {
    const std::size_t before = timer.steps().size();
    EXPECT_TRUE(timer.time(batch));
    return timer.steps().size() > before;
  };
  EXPECT_TRUE(executed(decodes(4, 1024)));
  EXPECT_FALSE(executed(decodes(4, 1024 + 63)));
  EXPECT_TRUE(executed(decodes(4, 1024 + 64)));
  EXPECT_TRUE(executed(decodes(5, 1024)));
  EXPECT_TRUE(executed(Totals({3, 3, 600}, {1, 50, 50})));
  EXPECT_FALSE(executed(Totals({3, 3, 601}, {1, 50, 50})));
  EXPECT_TRUE(executed(Totals({3, 3, 600}, {1, 51, 51})));
  EXPECT_TRUE(executed(Totals({2, 2, 600}, {2, 51, 51})));
}

/// Linear in what is attended, so that a step takes up to a sixteenth more or less than one that is alike.
TEST(ReusedTimer, ServesNearlyAsExecutingEveryStepDoes) {
  using namespace serving_test;
  const Traffic traffic = random_traffic(3, 2000, 300'000);
  LinearTimer every(100, 20), some(100, 20);
  ReusedTimer reused(some);
  const ServerSettings settings = server(BatchingPolicy::vllm_v1);
  const ServingRun full = simulate(settings, traffic, every).value();
  const ServingRun part = simulate(settings, traffic, reused).value();
  EXPECT_LT(static_cast<std::int64_t>(reused.steps().size()), part.steps / 4);
  const ServingMetrics a = metrics_of(full, traffic, {}), b = metrics_of(part, traffic, {});
  EXPECT_NEAR(b.ttft.mean / a.ttft.mean, 1, 0.05);
  EXPECT_NEAR(b.tpot.mean / a.tpot.mean, 1, 0.05);
  EXPECT_NEAR(b.e2el.mean / a.e2el.mean, 1, 0.05);
}

}  // namespace
}  // namespace inferometer
