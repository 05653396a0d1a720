#include "model/timeline.hpp"

#include <gtest/gtest.h>

namespace inferometer {
namespace {

Span span(int start, int duration, SpanKind kind = SpanKind::kernel) {
  return {.nodes = {}, .kind = kind, .start = Nanoseconds{start}, .duration = Nanoseconds{duration}};
}
std::vector<int> exposed(std::vector<Span> spans) {
  std::vector<int> all;
  for (const Nanoseconds t : exposed_times({.spans = std::move(spans), .end = Nanoseconds{0}}))
    all.push_back(static_cast<int>(t.count()));
  return all;
}

TEST(ExposedTimes, AreDurationsWhereNothingOverlaps) {
  EXPECT_EQ(exposed({span(0, 5), span(5, 2, SpanKind::gap), span(7, 3)}), (std::vector{5, 2, 3}));
}

TEST(ExposedTimes, CountAWaitingKernelFromTheEndOfTheOneBefore) {
  EXPECT_EQ(exposed({span(0, 10), span(1, 12)}), (std::vector{10, 3}));
}

TEST(ExposedTimes, CountNothingInTheShadowOfALongerKernel) {
  EXPECT_EQ(exposed({span(0, 10), span(2, 3), span(4, 7)}), (std::vector{10, 0, 1}));
}

TEST(ExposedTimes, ACopyBesideTheStepCastsNoShadow) {
  EXPECT_EQ(exposed({span(0, 20, SpanKind::copy), span(0, 5), span(5, 3)}), (std::vector{0, 5, 3}));
}

TEST(ExposedTimes, DoNotDependOnTheOrderOfTheSpans) {
  EXPECT_EQ(exposed({span(1, 12), span(0, 10)}), (std::vector{3, 10}));
}

}  // namespace
}  // namespace inferometer
