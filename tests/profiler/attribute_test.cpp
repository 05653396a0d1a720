#include "profiler/attribute.hpp"

#include <gtest/gtest.h>

#include "model/copy_beside.hpp"

namespace inferometer {
namespace {

Structure two_nodes() {
  Structure s;
  s.nodes = {{.name = "norm", .role = Role::norm}, {.name = "sample", .role = Role::sample}};
  return s;
}
KernelRecord kernel(std::string name, int start, int end, std::uint32_t correlation,
                    std::uint64_t graph_node = 0) {
  return {.name = std::move(name),
          .start = Nanoseconds{start},
          .end = Nanoseconds{end},
          .correlation = correlation,
          .graph_node = graph_node,
          .stream = 7};
}

TEST(Attribute, EagerKernelsBelongToTheNodeThatLaunchedThem) {
  const Trace trace{
      .kernels = {kernel("b", 130, 150, 12), kernel("a", 100, 120, 11), kernel("c", 150, 155, 13)},
      .node_of_call = {{11, 0}, {12, 1}, {13, 1}}};
  const auto timeline = attribute(trace, two_nodes(), {.tokens = 4});
  ASSERT_TRUE(timeline) << to_string(timeline.error());
  ASSERT_EQ(timeline->spans.size(), 3U);
  EXPECT_EQ(timeline->spans[0].kernel, "a");
  EXPECT_EQ(timeline->spans[0].nodes, std::vector<std::int32_t>{0});
  EXPECT_EQ(timeline->spans[0].start, Nanoseconds{0});
  EXPECT_EQ(timeline->spans[1].nodes, std::vector<std::int32_t>{1});
  EXPECT_EQ(timeline->spans[1].start, Nanoseconds{30});
  EXPECT_EQ(timeline->spans[1].duration, Nanoseconds{20});
  EXPECT_EQ(timeline->spans[1].kind, SpanKind::sampling);
  EXPECT_EQ(timeline->spans[1].stream, 7);
  EXPECT_EQ(timeline->end, Nanoseconds{55});
}

TEST(Attribute, KernelsOfAGraphShareACallAndAreToldApartByTheirNodes) {
  const Trace trace{.kernels = {kernel("a", 10, 20, 5, 901), kernel("b", 20, 30, 5, 902)},
                    .node_of_call = {{5, 1}},  // what launched the graph says nothing of its kernels
                    .node_of_graph_node = {{901, 1}, {902, 0}}};
  const auto timeline = attribute(trace, two_nodes(), {.tokens = 4});
  ASSERT_TRUE(timeline) << to_string(timeline.error());
  EXPECT_EQ(timeline->spans[0].nodes, std::vector<std::int32_t>{1});
  EXPECT_EQ(timeline->spans[1].nodes, std::vector<std::int32_t>{0});
}

TEST(Attribute, OverlappingKernelsKeepTheirTimes) {
  const Trace trace{.kernels = {kernel("a", 10, 40, 1), kernel("b", 20, 30, 2)},
                    .node_of_call = {{1, 0}, {2, 1}}};
  const auto timeline = attribute(trace, two_nodes(), {.tokens = 4});
  ASSERT_TRUE(timeline);
  EXPECT_EQ(timeline->end, Nanoseconds{30});
  EXPECT_EQ(busy_time(*timeline), Nanoseconds{30});
}

TEST(Attribute, ACopyBesideTheStepIsLeftOut) {
  const Trace trace{.kernels = {kernel("copy", 5, 90, 1), kernel("a", 10, 40, 2)},
                    .node_of_call = {{1, copy_node}, {2, 0}}};
  const auto timeline = attribute(trace, two_nodes(), {.tokens = 4});
  ASSERT_TRUE(timeline) << to_string(timeline.error());
  ASSERT_EQ(timeline->spans.size(), 1U);
  EXPECT_EQ(timeline->spans[0].start, Nanoseconds{0});
  EXPECT_EQ(timeline->end, Nanoseconds{30});
}

TEST(Attribute, AFusedKernelBelongsToAllItsNodes) {
  Structure s = two_nodes();
  s.nodes[1].joins_up_to = 1;
  const Trace trace{.kernels = {kernel("both", 10, 40, 1)}, .node_of_call = {{1, 0}}};
  EXPECT_EQ(attribute(trace, s, {.tokens = 1})->spans[0].nodes, (std::vector<std::int32_t>{0, 1}));
  EXPECT_EQ(attribute(trace, s, {.tokens = 2})->spans[0].nodes, (std::vector<std::int32_t>{0}));
}

TEST(Attribute, NothingIsLeftOver) {
  const auto message = [](Trace trace) {
    const auto timeline = attribute(trace, two_nodes(), {.tokens = 4});
    return timeline ? std::string{} : timeline.error().front().message;
  };
  EXPECT_EQ(message({.kernels = {kernel("k", 1, 2, 9)}}),
            "profile: \"k\" was launched by no node of the graph");
  EXPECT_EQ(message({.kernels = {kernel("k", 1, 2, 9, 4)}, .node_of_call = {{9, 0}}}),
            "profile: \"k\" was launched by no node of the graph");
  EXPECT_EQ(message({.kernels = {kernel("k", 1, 2, 9)}, .node_of_call = {{9, 2}}}),
            "profile: \"k\" was launched by no node of the graph");
  EXPECT_EQ(message({.kernels = {kernel("k", 3, 2, 9)}, .node_of_call = {{9, 0}}}),
            "profile: \"k\" has no valid times");
  EXPECT_EQ(message({.kernels = {kernel("k", 0, 2, 9)}, .node_of_call = {{9, 0}}}),
            "profile: \"k\" has no valid times");
  EXPECT_EQ(message({.kernels = {kernel("k", 1, 2, 9)}, .node_of_call = {{9, 0}}, .dropped = 3}),
            "profile: 3 records were dropped");
  EXPECT_EQ(message({}), "profile: no kernel was recorded");
}

}  // namespace
}  // namespace inferometer
