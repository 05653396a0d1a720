#include "simulator/predict.hpp"

#include <gtest/gtest.h>

#include "tests/model/networks.hpp"

namespace inferometer {
namespace {

/// A GPU on which everything takes no time but launches: 1 us each, 3 us of host for an eager one.
Case launches_only(Plan::Fusion fusion, Plan::Launch launch) {
  Case c;
  c.models["model"] = tiny_llama();
  c.plan.fusion = fusion;
  c.plan.launch = std::move(launch);
  Device& d = c.cluster.device;
  d.kind = DeviceKind::gpu;
  d.memory_bandwidth.value = d.cache_bandwidth.value = BytesPerSecond{1e30};
  d.vector.value = FlopsPerSecond{1e30};
  d.processors.value = 1;
  d.launch.value = Seconds{1e-6};
  d.host_dispatch.value = Seconds{3e-6};
  return c;
}
Timeline predicted(const Case& c, std::size_t sequences) {
  Features f{.tokens = static_cast<std::int64_t>(sequences),
             .sequences = static_cast<std::int64_t>(sequences),
             .logit_rows = static_cast<std::int64_t>(sequences)};
  f.slices.assign(sequences, {1, 5});
  return predict(c, *compile(c.model(), c.plan), f, Calibration{}).timeline;
}
std::int64_t kernels(const Timeline& t) {
  return std::count_if(t.spans.begin(), t.spans.end(), [](const Span& s) { return !s.nodes.empty(); });
}

TEST(Predict, ARecordedStepTakesItsLaunches) {
  const Timeline t = predicted(launches_only({}, {.graphs = true}), 1);
  EXPECT_EQ(t.end, kernels(t) * Nanoseconds{1000});
}

TEST(Predict, AnEagerStepTakesTheHostsTime) {
  const Timeline t = predicted(launches_only({}, {}), 1);
  EXPECT_EQ(t.end, kernels(t) * Nanoseconds{3000} + Nanoseconds{1000})
      << "the last kernel follows its dispatch";
}

TEST(Predict, NodesThatShareAKernelAreLaunchedOnce) {
  const Plan::Fusion joined{.rope_kv = true};
  const Timeline apart = predicted(launches_only({}, {.graphs = true}), 1),
                 together = predicted(launches_only(joined, {.graphs = true}), 1);
  EXPECT_EQ(kernels(apart) - kernels(together), 2) << "one a layer";
  EXPECT_EQ(apart.end - together.end, Nanoseconds{2000});
  const auto shared = std::find_if(together.spans.begin(), together.spans.end(),
                                   [](const Span& s) { return s.nodes.size() == 2; });
  ASSERT_NE(shared, together.spans.end());
  EXPECT_EQ(shared->kernel, "rope + kv_write");
  EXPECT_EQ(shared->nodes[1], shared->nodes[0] + 1);
}

TEST(Predict, WhatJoinsForOneTokenOnlyIsApartForTwo) {
  const Plan::Fusion joined{.qkv = true, .gate_up = true, .residual_norm = true, .norm_product = true};
  const Case c = launches_only(joined, {.graphs = true});
  EXPECT_EQ(kernels(predicted(c, 2)) - kernels(predicted(c, 1)), 5)
      << "two norms a layer, one before the head";
}

TEST(Predict, PaddingCountsWhereItDecidesWhatJoins) {
  const Plan::Fusion joined{.qkv = true, .gate_up = true, .residual_norm = true, .norm_product = true};
  const Case padded = launches_only(joined, {.graphs = true, .batch_buckets = {4}});
  EXPECT_EQ(kernels(predicted(padded, 1)), kernels(predicted(padded, 4)));
}

TEST(Predict, DependentLaunchesHideBehindTheWorkOfTheKernelBefore) {
  const auto step = [](bool overlap) {
    Case c = launches_only({}, {.graphs = true, .overlap = overlap});
    Device& d = c.cluster.device;  // every kernel moves for longer than a launch takes
    d.memory_bandwidth.value = d.cache_bandwidth.value = BytesPerSecond{1e6};
    return predicted(c, 1);
  };
  const Timeline apart = step(false), over = step(true);
  EXPECT_EQ(apart.end - over.end, (kernels(apart) - 1) * Nanoseconds{1000}) << "all but the first are hidden";
}

TEST(Predict, LaunchesWithoutWorkHideNothing) {
  const Timeline apart = predicted(launches_only({}, {.graphs = true}), 1),
                 over = predicted(launches_only({}, {.graphs = true, .overlap = true}), 1);
  EXPECT_EQ(over.end, apart.end) << "one is set up after the other";
}

}  // namespace
}  // namespace inferometer
