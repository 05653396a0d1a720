#include <gtest/gtest.h>

#include "executor/cpu/host_device.hpp"
#include "executor/cpu/reading.hpp"

namespace inferometer {
namespace {

/// Seconds a byte of a stream, by the formula that is solved.
double time_of(double times_cache, double memory, double cache, double retention) {
  return 1 / memory - retention / times_cache * (1 / memory - 1 / cache);
}

TEST(CpuReading, RatesAreThoseThatTheTimesWereMadeFrom) {
  for (const double retention : {0.0, 0.3, 0.7}) {
    for (const double wide : {12.0, 40.0}) {
      const auto time = [&](double width) { return time_of(width, 50e9, 200e9, retention); };
      const cpu::ReadRates r = cpu::rates_of(
          {.narrow_time = time(3), .narrow = 3, .wide_time = time(wide), .wide = wide}, 1 / 200e9);
      EXPECT_NEAR(r.memory.value, 50e9, 1);
      EXPECT_NEAR(r.cache.value, 200e9, 1);
      EXPECT_NEAR(r.retention, retention, 1e-9);
    }
  }
}

TEST(CpuReading, NothingIsSaidOfACacheThatIsHardlyFasterOrStreamsThatAreSlowerWhereNarrower) {
  const auto of = [](double narrow_time, double cache_time) {
    return cpu::rates_of({.narrow_time = narrow_time, .narrow = 3, .wide_time = 2, .wide = 12}, cache_time);
  };
  EXPECT_EQ(of(1.9, 1.95).retention, 0);
  EXPECT_EQ(of(2.1, 0.5).retention, 0);
  EXPECT_EQ(of(2.1, 0.5).memory.value, 0.5);
  EXPECT_GT(of(1.9, 0.5).retention, 0);
  // Faster than a whole cache explains.
  EXPECT_DOUBLE_EQ(of(1.0, 0.25).retention, 1);
  EXPECT_DOUBLE_EQ(time_of(12, of(1.0, 0.25).memory.value, 1 / 0.25, 1), 2);
  // Streams that memory had no room for.
  EXPECT_EQ(cpu::rates_of({.narrow_time = 1, .narrow = 0.5, .wide_time = 2, .wide = 1.5}, 0.25).retention, 0);
}

TEST(CpuReading, MeasuresThisMachine) {
  const cpu::ReadRates rates = cpu::read_rates(Bytes{1 << 20}, cpu::available_threads());
  EXPECT_GT(rates.memory.value, 1e7);
  EXPECT_LT(rates.memory.value, 1e14);
  EXPECT_GT(cpu::cache_capacity(1), Bytes{0});
  EXPECT_GE(cpu::cache_capacity(cpu::available_threads()), cpu::cache_capacity(1));
}

TEST(CpuReading, AProbeLooksAfterEveryFifthOfASecondOfSteps) {
  cpu::MemoryProbe probe(Bytes{1 << 20}, cpu::available_threads());
  probe.after_step(Seconds{1});
  EXPECT_FALSE(probe.end()) << "nobody asked";
  probe.begin();
  probe.after_step(Seconds{0.15});
  EXPECT_FALSE(probe.end());
  probe.begin();
  for (int step = 0; step < 4; ++step) probe.after_step(Seconds{0.15});  // two looks: steps add up
  const auto reads = probe.end();
  ASSERT_TRUE(reads);
  EXPECT_EQ(reads->looks, 2);
  EXPECT_GT(reads->rate.value, 1e7);
  EXPECT_FALSE(probe.end()) << "it is over";
}

}  // namespace
}  // namespace inferometer
