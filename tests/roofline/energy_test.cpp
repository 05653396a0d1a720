#include "roofline/energy.hpp"

#include <gtest/gtest.h>

namespace inferometer {
namespace {

Device device() {
  Device d{.name = "d"};
  d.memory_bandwidth.value = BytesPerSecond{1e12};
  d.vector.value = FlopsPerSecond{1e12};
  d.matrix[DType::bf16].value = FlopsPerSecond{1e14};
  d.matrix[DType::fp8].value = FlopsPerSecond{2e14};
  d.power = Sourced<Watts>{Watts{500}, ""};
  d.idle_power = Sourced<Watts>{Watts{100}, ""};
  d.memory_power = Sourced<Watts>{Watts{200}, ""};
  d.compute_power = Sourced<Watts>{Watts{300}, ""};
  return d;
}

TEST(Energy, AByteAndAFlopCostTheSameHoweverLongTheyTake) {
  const PowerModel model = *PowerModel::of(device());
  const UnitTimes work{.memory = Seconds{1}, .compute = Seconds{0.5}};
  EXPECT_EQ(model.idle(), Watts{100});
  EXPECT_EQ(model.above_idle(work, Seconds{1}), Joules{350});
  EXPECT_EQ(model.above_idle(work, Seconds{10}), Joules{350});
}

TEST(Energy, NoMoreThanTheLimitIsDrawn) {
  const UnitTimes work{.memory = Seconds{1}, .compute = Seconds{1}};
  EXPECT_EQ(PowerModel::of(device())->above_idle(work, Seconds{1}), Joules{400});
  Device unlimited = device();
  unlimited.power.reset();
  EXPECT_EQ(PowerModel::of(unlimited)->above_idle(work, Seconds{1}), Joules{500});
}

TEST(Energy, WhatADeviceFileLacksIsNamed) {
  Device d = device();
  EXPECT_EQ(powers_missing(d), "");
  d.idle_power.reset();
  d.compute_power.reset();
  EXPECT_FALSE(PowerModel::of(d));
  EXPECT_EQ(powers_missing(d), "d has no idle_power, compute_power");
}

TEST(Energy, UnitsAreTimedByTheRateOfWhatIsMultiplied) {
  Work work{.flops = Flops{1'000'000'000'000},
            .weights = Bytes{2'000'000'000},
            .unfused = Bytes{1'000'000'000},
            .product = true,
            .dtype = DType::fp8};
  EXPECT_DOUBLE_EQ(unit_times(work, device()).memory.count(), 3e-3);
  EXPECT_DOUBLE_EQ(unit_times(work, device()).compute.count(), 5e-3);
  work.dtype = DType::bf16;
  EXPECT_DOUBLE_EQ(unit_times(work, device()).compute.count(), 10e-3);
  work.product = false;  // outside the matrix units
  EXPECT_DOUBLE_EQ(unit_times(work, device()).compute.count(), 1);
}

}  // namespace
}  // namespace inferometer
