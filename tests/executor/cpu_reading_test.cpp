#include <gtest/gtest.h>

#include "executor/cpu/host_device.hpp"
#include "executor/cpu/reading.hpp"

namespace inferometer {
namespace {

TEST(CpuReading, RatesArePositiveAndRetentionIsAShare) {
  const cpu::ReadRates rates = cpu::read_rates(1 << 20, cpu::available_threads());
  EXPECT_GT(rates.memory.value, 0);
  EXPECT_GT(rates.cache.value, 0);
  EXPECT_GE(rates.retention, 0);
  EXPECT_LE(rates.retention, 1);
}

TEST(CpuReading, AProbeLooksAfterEveryFifthOfASecondOfSteps) {
  cpu::MemoryProbe probe(1 << 20, cpu::available_threads());
  probe.after_step(Seconds{0.15});
  EXPECT_FALSE(probe.rate());
  probe.after_step(Seconds{0.06});  // steps add up, asked for or not
  const auto rate = probe.rate();
  ASSERT_TRUE(rate);
  EXPECT_GT(rate->value, 0);
  EXPECT_FALSE(probe.rate()) << "of the time since it was last asked";
  probe.after_step(Seconds{0.15});
  EXPECT_FALSE(probe.rate());
}

}  // namespace
}  // namespace inferometer
