#include <gtest/gtest.h>

#include "profiler/nvml_watch.hpp"

namespace inferometer {
namespace {

TEST(Nvml, TellsInUnits) {
  const auto card = NvmlDevice::open("0000:01:00.0", FAKE_NVML);
  ASSERT_TRUE(card) << to_string(card.error());
  const DeviceSample sample = card->sample();
  EXPECT_EQ(sample.power, Watts{612.5});
  EXPECT_EQ(sample.sm_clock, Hertz{1755e6});
  EXPECT_EQ(sample.memory_clock, Hertz{3201e6});
  EXPECT_EQ(sample.throttles, (std::vector{Throttle::power_cap, Throttle::hardware_thermal}));
  EXPECT_EQ(card->limits().power, Watts{700});
  EXPECT_EQ(card->limits().sm_clock, Hertz{1980e6});
  const auto before = card->energy();
  ASSERT_TRUE(before);
  EXPECT_EQ(card->energy(), *before + Joules{5});
}

TEST(Nvml, WhatIsRefusedIsAbsentAndSaid) {
  const auto whole = NvmlDevice::open("0000:01:00.0", FAKE_NVML);
  const auto card = NvmlDevice::open("0000:02:00.0", FAKE_NVML);
  ASSERT_TRUE(whole && card);
  EXPECT_EQ(whole->refused(), "temperature: the library has no such function");
  EXPECT_EQ(card->refused(),
            "power: Not Supported; energy: Not Supported; temperature: the library has no such function");
  EXPECT_FALSE(card->sample().power || card->energy() || card->sample().temperature);
  EXPECT_TRUE(card->sample().sm_clock);
}

TEST(Nvml, WithoutACardOrALibraryThereIsAReason) {
  const auto card = NvmlDevice::open("0000:03:00.0", FAKE_NVML);
  ASSERT_FALSE(card);
  EXPECT_EQ(card.error().front().message, FAKE_NVML ": the card at 0000:03:00.0: Not Found");
  const auto library = NvmlDevice::open("0000:01:00.0", "libno-such-library.so.1");
  ASSERT_FALSE(library);
  EXPECT_NE(library.error().front().message.find("libno-such-library.so.1: cannot open"), std::string::npos);
  NvmlWatch watch(library);
  watch.begin();
  watch.end();
  EXPECT_EQ(watch.conditions().not_available, library.error().front().message);
  EXPECT_EQ(watch.conditions().samples, 0);
}

TEST(NvmlWatch, SeesEachStretchHoweverShort) {
  const auto card = NvmlDevice::open("0000:01:00.0", FAKE_NVML);
  ASSERT_TRUE(card);
  NvmlWatch watch(card);
  for (int i = 0; i < 3; ++i) {
    watch.begin();
    watch.end();
  }
  const RunConditions c = watch.conditions();
  EXPECT_GE(c.samples, 3);
  EXPECT_EQ(c.throttled_samples, c.samples);
  EXPECT_EQ(c.mean_power, Watts{612.5});
  EXPECT_FALSE(c.energy) << "stretches that short have none";
}

TEST(NvmlWatch, EndsItsThreadWhenItIsDropped) {
  const auto card = NvmlDevice::open("0000:01:00.0", FAKE_NVML);
  ASSERT_TRUE(card);
  NvmlWatch watch(card);
  watch.begin();
}

}  // namespace
}  // namespace inferometer
