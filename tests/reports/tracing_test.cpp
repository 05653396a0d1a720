#include "reports/tracing.hpp"

#include <gtest/gtest.h>

namespace inferometer {
namespace {

Span kernel(std::int32_t node, int start, int end, std::int32_t stream = 0) {
  return {
      .nodes = {node}, .stream = stream, .start = Nanoseconds{start}, .duration = Nanoseconds{end - start}};
}
/// "a > b 1 of 2, ..." for nodes a, b, c, ...
std::string pairs(std::vector<Span> spans) {
  std::string text;
  const auto row = [](std::size_t node) { return std::string(1, static_cast<char>('a' + node)); };
  for (const KernelPairs& p : pairs_of({.spans = std::move(spans), .end = Nanoseconds{0}}, row))
    text += (text.empty() ? "" : ", ") + p.first + " > " + p.second + ' ' + std::to_string(p.apart) + " of " +
            std::to_string(p.count);
  return text;
}

TEST(KernelPairs, AreApartWhereTheSecondBeginsAfterTheFirstHasEnded) {
  EXPECT_EQ(pairs({kernel(0, 0, 10), kernel(1, 9, 20), kernel(2, 20, 30)}), "a > b 0 of 1, b > c 1 of 1");
}

TEST(KernelPairs, OfTheSameRowsAreCountedTogether) {
  EXPECT_EQ(pairs({kernel(0, 0, 10), kernel(1, 9, 20), kernel(0, 21, 30), kernel(1, 31, 40)}),
            "a > b 1 of 2, b > a 1 of 1");
}

TEST(KernelPairs, AreOfOneStreamWhateverStandsBetween) {
  const Span gap{.nodes = {}, .kind = SpanKind::gap, .start = Nanoseconds{10}, .duration = Nanoseconds{2}};
  EXPECT_EQ(pairs({kernel(0, 0, 10), gap, kernel(2, 5, 40, 1), kernel(1, 12, 20)}), "a > b 1 of 1");
  EXPECT_EQ(pairs({kernel(1, 12, 20), kernel(0, 0, 10)}), "a > b 1 of 1") << "in the order of their starts";
  EXPECT_EQ(pairs({kernel(0, 0, 10)}), "");
}

VariantResult overlapping(bool overlap) {
  VariantResult v;
  v.settings.plan.launch.overlap = overlap;
  v.structure.nodes = {{.name = "norm", .role = Role::norm}, {.name = "o", .role = Role::o}};
  v.phases = {{.name = "decode",
               .measured = Samples{5, Nanoseconds{26'000}, Nanoseconds{25'000}, Nanoseconds{27'000}},
               .profile = Timeline{
                   .spans = {kernel(0, 0, 10'000), kernel(1, 9'000, 20'000), kernel(0, 21'000, 30'000)},
                   .end = Nanoseconds{30'000}}}};
  return v;
}

TEST(Tracing, CostsThisMuchAKernel) {
  const VariantResult v = overlapping(true);
  const auto t = tracing_of(v, v.phases[0]);
  ASSERT_TRUE(t);
  EXPECT_EQ(t->kernels, 3);
  EXPECT_DOUBLE_EQ(t->ratio(), 30.0 / 26.0);
  EXPECT_DOUBLE_EQ(t->per_kernel().count(), 4e-6 / 3);
  EXPECT_EQ(
      tracing_text(*t, *v.phases[0].measured),
      "step 0.026 ms untraced (0.025 - 0.027, n 5), 0.030 ms traced: 1.154 times, +1.333 us for each of 3 "
      "kernels\n"
      "1 of 2 pairs of kernels that may overlap ran apart when traced (50 %): o > norm 1 of 1\n");
}

TEST(Tracing, SaysWhyItsCostMayBeNegative) {
  VariantResult v = overlapping(false);
  v.phases[0].measured->median = Nanoseconds{33'000};
  const auto t = tracing_of(v, v.phases[0]);
  EXPECT_DOUBLE_EQ(t->per_kernel().count(), -1e-6);
  const std::string text = tracing_text(*t, *v.phases[0].measured);
  EXPECT_NE(text.find("-1.000 us for each of 3 kernels (negative: "), std::string::npos) << text;
  EXPECT_EQ(text.find("overlap"), std::string::npos) << "the plan has none: " << text;
}

TEST(Tracing, IsAbsentWhereNothingWasTraced) {
  VariantResult v = overlapping(true);
  v.phases[0].profile.reset();
  EXPECT_FALSE(tracing_of(v, v.phases[0]));
}

}  // namespace
}  // namespace inferometer
