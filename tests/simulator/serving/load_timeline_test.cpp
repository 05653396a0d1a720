#include <gtest/gtest.h>

#include "simulator/serving/run.hpp"

namespace inferometer {
namespace {

using namespace std::chrono_literals;

TEST(LoadTimeline, AStepCountsInEachIntervalByThePartThatLiesThere) {
  LoadTimeline load;
  load.add(500us, 3'000us,
           {.seconds = 2.5e-3, .running = 5e-3, .waiting = 0, .kv_used = 10e-3, .output_tokens = 2});
  load.add(3'000us, 3'000us, {.output_tokens = 1});
  const std::vector<LoadTimeline::Sample>& samples = load.samples();
  ASSERT_EQ(samples.size(), 4U);
  const double parts[] = {0.2, 0.4, 0.4, 0};
  for (std::size_t i = 0; i < samples.size(); ++i) {
    EXPECT_NEAR(samples[i].seconds, parts[i] * 2.5e-3, 1e-12) << i;
    EXPECT_NEAR(samples[i].running, parts[i] * 5e-3, 1e-12) << i;
    EXPECT_NEAR(samples[i].kv_used, parts[i] * 10e-3, 1e-12) << i;
  }
  EXPECT_EQ(samples[0].output_tokens, 2);
  EXPECT_EQ(samples[3].output_tokens, 1);
}

TEST(LoadTimeline, IntervalsDoubleAndLoseNothing) {
  LoadTimeline load, other;
  for (std::int64_t ms = 0; ms < 3000; ++ms)
    (ms % 3 == 0 ? other : load)
        .add(ms * 1ms, (ms + 1) * 1ms, {.seconds = 1e-3, .running = 2e-3, .output_tokens = 1});
  EXPECT_EQ(load.interval(), 8ms);
  load.add(other);
  EXPECT_EQ(load.samples().size(), 375U);
  LoadTimeline::Sample sum;
  for (const LoadTimeline::Sample& s : load.samples()) {
    EXPECT_NEAR(s.seconds, 8e-3, 1e-9);
    sum.running += s.running;
    sum.output_tokens += s.output_tokens;
  }
  EXPECT_NEAR(sum.running, 6, 1e-9);
  EXPECT_EQ(sum.output_tokens, 3000);
}

}  // namespace
}  // namespace inferometer
