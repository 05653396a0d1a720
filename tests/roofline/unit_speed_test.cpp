#include <gtest/gtest.h>

#include "model/graph.hpp"
#include "roofline/copy.hpp"
#include "roofline/hand_over.hpp"
#include "roofline/roofline.hpp"
#include "roofline/work.hpp"
#include "tests/roofline/unit_device.hpp"

namespace inferometer {
namespace {

Estimate at_unit_speed(const AnyOperator& op, const Device& d = unit_device(),
                       const Calibration& c = perfect()) {
  return estimate(op, d, c, {});
}

TEST(UnitSpeed, AProductBoundByBytesTakesItsBytes) {
  // 3 x 8 inputs, 5 x 8 weights and 3 x 5 outputs of 2 bytes: 158 bytes, 240 FLOPs. Make FLOPs cheap.
  Device d = unit_device();
  d.matrix[DType::bf16].value = FlopsPerSecond{1000};
  const Estimate e = at_unit_speed(Linear{.tokens = 3, .in = 8, .out = 5}, d);
  EXPECT_DOUBLE_EQ(e.time().count(), 158);
  EXPECT_EQ(e.bound, Bound::memory);
  EXPECT_DOUBLE_EQ(e.parts.bytes.count(), 158);
}

TEST(UnitSpeed, AProductBoundByFlopsTakesItsFlops) {
  const Estimate e = at_unit_speed(Linear{.tokens = 3, .in = 8, .out = 5});
  EXPECT_DOUBLE_EQ(e.time().count(), 2 * 3 * 8 * 5);
  EXPECT_EQ(e.bound, Bound::compute);
  EXPECT_EQ(e.flops.value, 240);
  EXPECT_EQ(e.moved.value, 158);
}

TEST(UnitSpeed, HalfRowsHalvesTheRateAtThatManyRows) {
  Calibration c = perfect();
  set(c, "half_rows", 6);
  const Linear small{.tokens = 6, .in = 64, .out = 64};
  const Estimate e = at_unit_speed(small, unit_device(), c);
  EXPECT_DOUBLE_EQ(e.parts.flops.count(), 2 * 6 * 64 * 64);
  EXPECT_DOUBLE_EQ(e.parts.wave.count(), e.parts.flops.count());
}

TEST(UnitSpeed, ANormTakesItsBytesAndAGateItsExponentials) {
  // x and y of 3 x 8 x 2 bytes, w of 8 x 2; 102 FLOPs hide behind them.
  EXPECT_DOUBLE_EQ(at_unit_speed(RmsNorm{.tokens = 3, .width = 8}).time().count(), 48 + 48 + 16);
  // silu: 2 FLOPs by the field's count and an exponential of 40.
  EXPECT_DOUBLE_EQ(at_unit_speed(GatedActivation{.tokens = 3, .width = 8}).time().count(), 3 * 8 * (2 + 40));
}

TEST(UnitSpeed, AttentionCountsVisiblePairsOnly) {
  const Attention op{.slices = {{2, 3}}, .heads = 4, .kv_heads = 4, .head_dim = 4, .v_dim = 4};
  // 4 + 5 pairs a head, 2 * 4 + 2 * 4 + 3 FLOPs and an exponential each; 2 tokens' outputs of 4 normalised.
  EXPECT_EQ(op.pairs(), 9);
  EXPECT_DOUBLE_EQ(at_unit_speed(op).time().count(), 4 * (9 * (19 + 40) + 2 * 4));
}

TEST(UnitSpeed, EachSequencesAttentionPaysForItsFirstToken) {
  Calibration c = perfect();
  set(c, "attention_half_rows", 3);
  const auto attend = [&](std::vector<AttentionSlice> slices) {
    return at_unit_speed(
        Attention{.slices = std::move(slices), .heads = 4, .kv_heads = 4, .head_dim = 4, .v_dim = 4},
        unit_device(), c);
  };
  const Estimate single = attend({{1, 40}}), prompt = attend({{8, 0}});
  EXPECT_DOUBLE_EQ(single.parts.wave.count(), 3 * single.parts.flops.count());
  EXPECT_DOUBLE_EQ(prompt.parts.wave.count(), 3.0 / 8 * prompt.parts.flops.count());
  // Three heads that share a key are three rows.
  const Estimate grouped = at_unit_speed(
      Attention{.slices = {{1, 40}}, .heads = 6, .kv_heads = 2, .head_dim = 4, .v_dim = 4}, unit_device(), c);
  EXPECT_DOUBLE_EQ(grouped.parts.wave.count(), grouped.parts.flops.count());
  // A single token beside a prompt is as slow as alone, whatever their mean is.
  const Estimate both = attend({{1, 40}, {8, 0}});
  EXPECT_NEAR(both.time().count(), single.time().count() + prompt.time().count(),
              0.01 * both.time().count());  // outputs are counted with the pairs
}

TEST(UnitSpeed, WhereBf16IsWidenedAProductPaysForTwoPasses) {
  Device d = unit_device();
  const Linear product{.tokens = 3, .in = 8, .out = 5};
  const double native = at_unit_speed(product, d).time().count();
  d.widens_bf16 = true;
  // Inputs and outputs of 2 bytes an element: read and written as 4, and the other way round.
  EXPECT_DOUBLE_EQ(at_unit_speed(product, d).time().count() - native, 3 * (3 * 8 + 3 * 5) * 2);
  const Linear logits{.tokens = 6, .in = 8, .out = 5, .y = DType::f32};
  EXPECT_DOUBLE_EQ(at_unit_speed(logits, d).time().count() - at_unit_speed(logits).time().count(),
                   3 * (6 * 8) * 2);
  const Linear f32{.tokens = 3, .in = 8, .out = 5, .x = DType::f32, .y = DType::f32, .w = {DType::f32}};
  EXPECT_DOUBLE_EQ(at_unit_speed(f32, d).time().count(), at_unit_speed(f32).time().count());
}

TEST(UnitSpeed, ProductsStartAsCalibratedAndOtherNodesAsTheDeviceSays) {
  Calibration c = perfect();
  set(c, "launch", 2e6);
  Device d = unit_device();
  d.launch.value = Seconds{1};
  const Estimate add = at_unit_speed(Add{.tokens = 1, .width = 1, .dtype = DType::f32}, d, c);
  EXPECT_DOUBLE_EQ(add.parts.launch.count(), 1);
  EXPECT_DOUBLE_EQ(add.time().count(), 1 + 12);
  EXPECT_DOUBLE_EQ(at_unit_speed(Linear{.tokens = 3, .in = 8, .out = 5}, d, c).parts.launch.count(), 2);
}

TEST(UnitSpeed, ExpertsReadTheWeightsThatAreTouched) {
  Device d = unit_device();
  d.matrix[DType::bf16].value = FlopsPerSecond{1e9};
  ExpertLinear op = ExpertLinear::example();
  const double four = at_unit_speed(op, d).time().count();
  op.touched = 2;
  EXPECT_DOUBLE_EQ(four - at_unit_speed(op, d).time().count(), 2 * 8 * 5 * 2);
}

TEST(UnitSpeed, ARingPaysLatencyAndItsShareOfTheMessage) {
  Device d = unit_device();
  d.link_bandwidth = {BytesPerSecond{10}, "test"};
  d.link_latency = {Seconds{3}, "test"};
  const AllReduce op{.tokens = 2, .width = 10, .ranks = 4};
  // 2 (4 - 1) hops of 3 s; 2 (4 - 1) / 4 of 40 bytes at 10 B/s.
  const Estimate e = at_unit_speed(op, d);
  EXPECT_DOUBLE_EQ(e.time().count(), 6 * 3 + 1.5 * 40 / 10);
  EXPECT_EQ(e.bound, Bound::link);
}

TEST(UnitSpeed, AnExchangePaysAHopForEachPeerAndWhatIsNotForItself) {
  Device d = unit_device();
  d.link_bandwidth = {BytesPerSecond{10}, "test"};
  d.link_latency = {Seconds{3}, "test"};
  const AllToAll op{.tokens = 56, .width = 10, .experts = 8, .top_k = 2, .ranks = 4};
  ASSERT_EQ(op.rows(), 104);
  // 3 hops of 3 s; 3 of 4 parts of 104 rows of 20 bytes at 10 B/s.
  const Estimate e = at_unit_speed(op, d);
  EXPECT_DOUBLE_EQ(e.time().count(), 3 * 3 + 0.75 * 104 * 20 / 10);
  EXPECT_EQ(e.bound, Bound::link);
}

TEST(UnitSpeed, AHandOverPaysOneHopAndItsMessage) {
  Device d = unit_device();
  d.link_bandwidth = {BytesPerSecond{10}, "test"};
  d.link_latency = {Seconds{3}, "test"};
  const Estimate e = estimate(HandOver{.tokens = 2, .width = 10}, d);
  EXPECT_DOUBLE_EQ(e.time().count(), 3 + 40.0 / 10);
  EXPECT_EQ(e.bound, Bound::link);
  EXPECT_DOUBLE_EQ(e.link.count(), 4);
}

TEST(UnitSpeed, ACopyWithinTheDeviceReadsAndWrites) {
  Calibration c = perfect();
  c.parameters.push_back({"copy_efficiency", 0.5, "1", ""});
  Device d = unit_device();
  d.launch.value = Seconds{2};
  const Estimate e = estimate(CopyBeside{.bytes = Bytes{7}}, d, c);
  EXPECT_DOUBLE_EQ(e.time().count(), 2 + 2 * 7 / 0.5);
  EXPECT_DOUBLE_EQ(e.memory.count(), 28);
  EXPECT_DOUBLE_EQ(e.compute.count(), 0);
  EXPECT_DOUBLE_EQ(e.link.count(), 0);
  EXPECT_EQ(e.moved, Bytes{14});
  EXPECT_EQ(e.bound, Bound::memory);
}

TEST(UnitSpeed, ACopyOverTheHostLinkTakesTheSlowerOfLinkAndMemory) {
  Calibration c = perfect();
  c.parameters.push_back({"copy_efficiency", 1, "1", ""});
  c.parameters.push_back({"host_link_efficiency", 0.5, "1", ""});
  Device d = unit_device();
  for (const CopyDirection direction : {CopyDirection::to_host, CopyDirection::from_host}) {
    const CopyBeside copy{.bytes = Bytes{6}, .direction = direction};
    d.host_link_bandwidth = {BytesPerSecond{0.5}, "test"};
    const Estimate slow = estimate(copy, d, c);
    EXPECT_DOUBLE_EQ(slow.time().count(), 6 / 0.25);
    EXPECT_DOUBLE_EQ(slow.memory.count(), 6);
    EXPECT_DOUBLE_EQ(slow.compute.count(), 0);
    EXPECT_EQ(slow.bound, Bound::link);
    d.host_link_bandwidth = {BytesPerSecond{4}, "test"};
    EXPECT_DOUBLE_EQ(estimate(copy, d, c).time().count(), 6);
    EXPECT_EQ(estimate(copy, d, c).bound, Bound::memory);
  }
}

/// Calls f with the example of each operator.
template <class F, class... Operators>
void for_each_operator(F f, const std::variant<Operators...>*) {
  (f(AnyOperator{Operators::example()}), ...);
}

TEST(UnitSpeed, ForEveryOperatorPartsSumAndSlowerHardwareIsNeverFaster) {
  Device d = unit_device();
  d.link_bandwidth = {BytesPerSecond{1}, "test"};
  for_each_operator(
      [&](const AnyOperator& op) {
        const Estimate e = at_unit_speed(op, d);
        EXPECT_DOUBLE_EQ(e.time().count(), e.parts.flops.count() + e.parts.bytes.count() +
                                               e.parts.wave.count() + e.parts.launch.count());
        EXPECT_EQ(e.compulsory, compulsory_bytes(op)) << name(op);
        EXPECT_GE(e.time(), std::max(e.compute, e.memory)) << name(op);
        Device slow = d;
        slow.memory_bandwidth.value = slow.cache_bandwidth.value = BytesPerSecond{0.5};
        EXPECT_GE(at_unit_speed(op, slow).time(), e.time()) << name(op);
        slow.vector.value = slow.matrix[DType::bf16].value = slow.matrix[DType::f32].value =
            FlopsPerSecond{0.5};
        EXPECT_GE(at_unit_speed(op, slow).time(), e.time()) << name(op);
      },
      static_cast<const AnyOperator*>(nullptr));
}

TEST(UnitSpeed, MoreRowsNeverTakeLessOnAProcessor) {
  double before = 0;
  for (std::int64_t tokens = 1; tokens < 300; ++tokens) {
    const double now = at_unit_speed(Linear{.tokens = tokens, .in = 64, .out = 48}).time().count();
    EXPECT_GE(now, before) << tokens;
    before = now;
  }
}

/// A token through 200 bytes of weights, some of `persistent` bytes that are read in turn.
Seconds weights_time(const Device& d, std::int64_t persistent, const Calibration& c = perfect()) {
  const Linear op{.tokens = 1, .in = 10, .out = 10};
  return estimate(op, d, c, {.persistent = Bytes{persistent}}).memory;
}

TEST(UnitSpeed, WeightsThatACacheRetainsMoveAtItsRate) {
  Device d = unit_device();
  d.cache_capacity.value = Bytes{1000};
  d.cache_bandwidth.value = BytesPerSecond{4};
  const double all = weights_time(d, 3000).count(), activations = 20 * 2 / 4.0;
  EXPECT_DOUBLE_EQ(all, 200 + activations) << "a stream 2.6 times as wide as the cache finds nothing";
  d.cache_retention = {{0.6, "test"}};
  // A fifth of 3000 bytes is found, a tenth of 6000.
  EXPECT_DOUBLE_EQ(weights_time(d, 3000).count(), 0.8 * 200 + 0.2 * 200 / 4 + activations);
  EXPECT_DOUBLE_EQ(weights_time(d, 6000).count(), 0.9 * 200 + 0.1 * 200 / 4 + activations);
  EXPECT_DOUBLE_EQ(weights_time(d, 600).count(), 200 / 4.0 + activations) << "all of it";
  // What is written once and read once is no such stream.
  d.vector.value = FlopsPerSecond{1e9};
  const Add wide{.tokens = 1, .width = 250, .dtype = DType::f32};
  EXPECT_DOUBLE_EQ(at_unit_speed(wide, d).time().count(), 3000);
}

TEST(UnitSpeed, StreamsFromTheCacheAreAsEfficientAsThoseFromMemory) {
  Device d = unit_device();
  d.cache_capacity.value = Bytes{1000};
  d.cache_bandwidth.value = BytesPerSecond{4};
  Calibration slow = perfect();
  set(slow, "memory_efficiency", 0.5);
  const double activations = 20 * 2 / 4.0;
  EXPECT_DOUBLE_EQ(weights_time(d, 600, slow).count(), 200 / 2.0 + activations);
  set(slow, "cache_efficiency", 0.25);  // of what kernels hand to each other
  EXPECT_DOUBLE_EQ(weights_time(d, 600, slow).count(), 200 / 2.0 + 4 * activations);
}

TEST(UnitSpeed, WhatFitsTheCacheMovesAtItsRate) {
  Device d = unit_device();
  d.cache_capacity.value = Bytes{1000};
  d.cache_bandwidth.value = BytesPerSecond{4};
  d.vector.value = FlopsPerSecond{1e9};
  const Add op{.tokens = 1, .width = 10, .dtype = DType::f32};
  EXPECT_DOUBLE_EQ(at_unit_speed(op, d).time().count(), 120.0 / 4);
}

TEST(Copies, ParametersAreThoseThatMakeTheirTimesRight) {
  Device device = unit_device();
  device.launch.value = Seconds{2};
  device.host_link_bandwidth = {BytesPerSecond{0.5}, "test"};
  Calibration c;
  c.parameters = {{"copy_efficiency", 0.6, "1", ""}, {"host_link_efficiency", 0.4, "1", ""}};
  std::vector<ExecutedCopy> copies;
  for (const CopyDirection d :
       {CopyDirection::within_device, CopyDirection::to_host, CopyDirection::from_host}) {
    const CopyBeside copy{.bytes = Bytes{4'000'000}, .direction = d};
    copies.push_back({copy, Seconds{estimate(copy, device, c).time()}});
  }
  const auto fitted = fit_copies(copies, device);
  EXPECT_NEAR(fitted.at("copy_efficiency"), 0.6, 1e-9);
  EXPECT_NEAR(fitted.at("host_link_efficiency"), 0.4, 1e-9);
  EXPECT_EQ(fit_copies(std::span{copies}.first(1), device).size(), 1U) << "what no copy tells is left out";
  copies[0].time = Seconds{2 + 1e-3};
  EXPECT_EQ(fit_copies(copies, device).at("copy_efficiency"), 1.5) << "not beyond the parameter's range";
  copies[0].time = Seconds{1};
  EXPECT_FALSE(fit_copies(copies, device).contains("copy_efficiency")) << "shorter than a launch";
  Device without = device;
  without.host_link_bandwidth.reset();
  EXPECT_FALSE(fit_copies(copies, without).contains("host_link_efficiency"));
}

}  // namespace
}  // namespace inferometer
