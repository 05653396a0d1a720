#include "profiler/device_samples.hpp"

#include <gtest/gtest.h>

namespace inferometer {
namespace {

TEST(Conditions, AreMeansAndExtremesOfTheSamples) {
  const auto sample = [](double watts, double mhz, double celsius, std::vector<Throttle> throttles) {
    return DeviceSample{.power = Watts{watts},
                        .sm_clock = Hertz{mhz * 1e6},
                        .memory_clock = Hertz{3e9},
                        .temperature = Celsius{celsius},
                        .throttles = std::move(throttles)};
  };
  const std::vector<DeviceSample> samples{sample(600, 1980, 60, {}),
                                          sample(700, 1620, 64, {Throttle::thermal}),
                                          sample(650, 1800, 63, {Throttle::power_cap, Throttle::thermal})};
  const RunConditions c =
      conditions_of(samples, {.power = Watts{700}, .sm_clock = Hertz{1980e6}},
                    EnergyCount{.used = Joules{130}, .watched = Seconds{0.4}, .stretches = 2}, "");
  EXPECT_EQ(c.samples, 3);
  EXPECT_EQ(c.mean_power, Watts{650});
  EXPECT_EQ(c.most_power, Watts{700});
  EXPECT_EQ(c.power_limit, Watts{700});
  EXPECT_EQ(c.energy, Joules{130});
  EXPECT_EQ(c.mean_sm_clock, Hertz{1800e6});
  EXPECT_EQ(c.least_sm_clock, Hertz{1620e6});
  EXPECT_EQ(c.top_sm_clock, Hertz{1980e6});
  EXPECT_EQ(c.mean_memory_clock, Hertz{3e9});
  EXPECT_EQ(c.most_temperature, Celsius{64});
  EXPECT_EQ(c.throttles, (std::vector{Throttle::power_cap, Throttle::thermal}));
  EXPECT_EQ(c.throttled_samples, 2);
  EXPECT_EQ(text_of(*c.throttles), "power cap, thermal slowdown");
  EXPECT_EQ(c.not_available, "");
}

TEST(Conditions, WhatNoSampleHasIsAbsent) {
  const std::vector<DeviceSample> samples{{.sm_clock = Hertz{1e9}}, {.power = Watts{100}}, {}};
  const RunConditions c = conditions_of(samples, {}, {}, "energy: Not Supported");
  EXPECT_EQ(c.mean_power, Watts{100}) << "of the samples that have it";
  EXPECT_EQ(c.least_sm_clock, Hertz{1e9});
  EXPECT_FALSE(c.power_limit || c.energy || c.top_sm_clock || c.mean_memory_clock || c.most_temperature);
  EXPECT_FALSE(c.throttles) << "nobody knows";
  EXPECT_EQ(c.not_available, "energy: Not Supported");
}

TEST(Conditions, EnergyNeedsStretchesLongerThanTheCountersSteps) {
  const EnergyCount brief{.used = Joules{9}, .watched = Seconds{0.5}, .stretches = 5};
  const RunConditions c = conditions_of({}, {}, brief, "temperature: Not Supported");
  EXPECT_FALSE(c.energy);
  EXPECT_EQ(c.not_available,
            "temperature: Not Supported; energy: a pass is shorter than two steps of the device's counter");
}

}  // namespace
}  // namespace inferometer
