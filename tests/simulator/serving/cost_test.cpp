#include "simulator/serving/cost.hpp"

#include <gtest/gtest.h>

namespace inferometer {
namespace {

/// Two replicas of two devices, 50 W idle and 3.6 $/h each.
Case four_devices() {
  Case c;
  c.serving.replicas = 2;
  c.plan.parallel.tensor = 2;
  Device& d = c.cluster.device;
  d.name = "d";
  d.idle_power = Sourced<Watts>{Watts{50}, ""};
  d.price = Sourced<DollarsPerHour>{DollarsPerHour{3.6}, ""};
  return c;
}
/// 1000 output tokens and 3000 prompt tokens in 10 s.
const ServingMetrics ten_seconds{.output_throughput = 100, .total_token_throughput = 400, .simulated_s = 10};

TEST(ServingCost, EveryDeviceIdlesAndIsPaidForAllTheTime) {
  const ServingCost c = cost_of(ten_seconds, four_devices(), Joules{500}, "");
  EXPECT_EQ(c.devices, 4);
  EXPECT_DOUBLE_EQ(c.energy->value, 4 * 50 * 10 + 2 * 500);  // both devices of an instance do its work
  EXPECT_DOUBLE_EQ(c.energy_per_output_token->value, 3);
  EXPECT_DOUBLE_EQ(c.mean_power->value, 75);
  // 0.001 $/s each: 0.04 $ for the run
  EXPECT_DOUBLE_EQ(c.per_million_output_tokens->value, 40);
  EXPECT_DOUBLE_EQ(c.per_million_total_tokens->value, 10);
  EXPECT_EQ(c.not_known, "");
}

TEST(ServingCost, WhatIsNotKnownSaysWhy) {
  Case c = four_devices();
  c.cluster.device.price.reset();
  const ServingCost cost = cost_of(ten_seconds, c, std::nullopt, "d has no memory_power");
  EXPECT_FALSE(cost.energy || cost.mean_power || cost.per_million_output_tokens);
  EXPECT_EQ(cost.not_known, "d has no memory_power; d has no price");
}

TEST(ServingCost, ARunThatServedNothingCostsNothingATokenCouldBear) {
  const ServingCost c = cost_of(ServingMetrics{}, four_devices(), Joules{0}, "");
  EXPECT_FALSE(c.energy || c.per_million_output_tokens);
}

TEST(ServingCost, OfPoolsIsTheSumOverThem) {
  Case a = four_devices(), b = four_devices();
  b.serving.replicas = 1;
  b.cluster.device.idle_power->value = Watts{100};
  b.cluster.device.price->value = DollarsPerHour{7.2};
  std::vector<CostedReplicas> pools{{a, Joules{500}, ""}, {b, Joules{250}, ""}};
  const ServingCost c = cost_of(ten_seconds, pools);
  EXPECT_EQ(c.devices, 6);
  EXPECT_DOUBLE_EQ(c.energy->value, 4 * 50 * 10 + 2 * 500 + 2 * 100 * 10 + 2 * 250);
  EXPECT_DOUBLE_EQ(c.mean_power->value, 5500.0 / 60);
  // 0.004 $/s and as much again.
  EXPECT_DOUBLE_EQ(c.per_million_output_tokens->value, 80);
}

TEST(ServingCost, OfPoolsIsNotKnownWhereThatOfOneIsNot) {
  Case a = four_devices(), b = four_devices();
  b.cluster.device.price.reset();
  std::vector<CostedReplicas> pools{{a, Joules{500}, ""}, {b, std::nullopt, "e has no memory_power"}};
  const ServingCost c = cost_of(ten_seconds, pools);
  EXPECT_FALSE(c.energy || c.mean_power || c.per_million_output_tokens);
  EXPECT_EQ(c.not_known, "e has no memory_power; d has no price");
}

}  // namespace
}  // namespace inferometer
