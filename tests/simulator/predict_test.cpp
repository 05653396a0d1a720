#include "simulator/predict.hpp"

#include <gtest/gtest.h>

#include "tests/model/networks.hpp"
#include "tests/simulator/chosen_gpu.hpp"

namespace inferometer {
namespace {

/// A GPU on which launches take 1 us each, and 300 us of the host when eager.
Case launches_only(Plan::Fusion fusion, Plan::Launch launch) {
  Case c;
  c.models["model"] = tiny_llama();
  c.plan.fusion = fusion;
  c.plan.launch = std::move(launch);
  c.cluster.device = chosen_gpu(Seconds{300e-6});
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

Nanoseconds alone(const Timeline& t) {
  Nanoseconds sum{0};
  for (const Span& s : t.spans) sum += s.nodes.empty() ? Nanoseconds{0} : s.duration;
  return sum;
}

TEST(Predict, ARecordedStepTakesItsKernelsAndTheirLaunches) {
  const Case c = launches_only({}, {.graphs = true});
  const Timeline t = predicted(c, 1);
  EXPECT_EQ(t.end, alone(t));
  Case slower = c;
  slower.cluster.device.launch.value = Seconds{3e-6};
  EXPECT_EQ(predicted(slower, 1).end - t.end, kernels(t) * Nanoseconds{2000});
}

TEST(Predict, AnEagerStepTakesTheHostsTime) {
  const Timeline t = predicted(launches_only({}, {}), 1);
  EXPECT_EQ(t.end, kernels(t) * Nanoseconds{300'000} + t.spans.back().duration)
      << "the last kernel follows its dispatch";
}

TEST(Predict, NodesThatShareAKernelAreLaunchedOnce) {
  const Plan::Fusion joined{.rope_kv = true};
  const Timeline apart = predicted(launches_only({}, {.graphs = true}), 1),
                 together = predicted(launches_only(joined, {.graphs = true}), 1);
  EXPECT_EQ(kernels(apart) - kernels(together), 2) << "one a layer";
  EXPECT_GT(apart.end - together.end, Nanoseconds{2000});
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

TEST(Predict, DependentLaunchesHideBehindTheKernelBefore) {
  const Timeline apart = predicted(launches_only({}, {.graphs = true}), 1),
                 over = predicted(launches_only({}, {.graphs = true, .overlap = true}), 1);
  EXPECT_EQ(apart.end - over.end, kernels(apart) * Nanoseconds{1000});
}

/// A processor on which every byte of the memory takes a nanosecond, and nothing else takes time.
Case bytes_only() {
  Case c = launches_only({}, {.graphs = true});
  Device& d = c.cluster.device;
  d.kind = DeviceKind::cpu;
  d.cache_capacity.value = Bytes{0};
  d.vector.value = FlopsPerSecond{1e30};
  d.matrix.clear();
  d.launch.value = Seconds{0};
  d.memory_bandwidth.value = d.cache_bandwidth.value = BytesPerSecond{1e9};
  return c;
}
/// The times of a decode step with and without the copy.
struct Beside {
  Nanoseconds alone, step, copied;
  std::int64_t kernels;
};
Beside beside(const Case& c, const CopyBeside& copy) {
  Calibration perfect;
  for (const char* name : {"memory_efficiency", "cache_efficiency", "vector_efficiency", "copy_efficiency",
                           "host_link_efficiency"})
    perfect.parameters.push_back({name, 1, "1", ""});
  Features f{.tokens = 1, .sequences = 1, .logit_rows = 1, .slices = {{1, 5}}};
  const Structure structure = *compile(c.model(), c.plan);
  const Nanoseconds alone = predict(c, structure, f, perfect).timeline.end;
  f.copy_beside = copy;
  const Timeline t = predict(c, structure, f, perfect).timeline;
  const Span& last = t.spans.back();
  EXPECT_EQ(last.kind, SpanKind::copy);
  EXPECT_EQ(last.stream, 1);
  return {alone, t.end, last.start + last.duration, kernels(t)};
}
void expect_near(Nanoseconds actual, Nanoseconds expected, std::int64_t rounded) {
  EXPECT_NEAR(static_cast<double>(actual.count()), static_cast<double>(expected.count()),
              static_cast<double>(rounded));
}

TEST(Predict, AStepBeginsAsTheCopyWithinItsDeviceEnds) {
  for (const std::int64_t bytes : {1000, 1'000'000}) {
    const Beside b = beside(bytes_only(), {.bytes = Bytes{bytes}});
    ASSERT_GT(b.alone, Nanoseconds{4000});
    expect_near(b.copied, Nanoseconds{2 * bytes}, 1);
    expect_near(b.step, b.copied + b.alone, b.kernels);
  }
}

TEST(Predict, ACopyOverTheHostLinkTakesItsOwnTimeAndItsPartOfTheMemory) {
  Case c = bytes_only();
  c.cluster.device.host_link_bandwidth = {BytesPerSecond{2.5e8}, "test"};
  for (const CopyDirection direction : {CopyDirection::to_host, CopyDirection::from_host}) {
    const Beside b = beside(c, {.bytes = Bytes{1000}, .direction = direction});
    ASSERT_GT(b.alone, Nanoseconds{4000});
    EXPECT_EQ(b.copied, Nanoseconds{4000}) << "at a quarter of the memory it asks for less than its share";
    expect_near(b.step, b.alone + Nanoseconds{1000}, b.kernels);
  }
}

TEST(Predict, AnEagerStepWaitsForTheDispatchOfItsCopy) {
  Case c = launches_only({}, {});
  const Timeline apart = predicted(c, 1);
  Features f{.tokens = 1, .sequences = 1, .logit_rows = 1, .slices = {{1, 5}}};
  f.copy_beside.bytes = Bytes{1};
  const Timeline t = predict(c, *compile(c.model(), c.plan), f, Calibration{}).timeline;
  EXPECT_EQ(t.spans.back().start, Nanoseconds{300'000});
  EXPECT_EQ(t.spans.back().kernel, "copy within_device");
  EXPECT_EQ(t.end - apart.end, Nanoseconds{300'000});
}

}  // namespace
}  // namespace inferometer
