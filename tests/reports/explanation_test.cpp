#include "reports/explanation.hpp"

#include <gtest/gtest.h>

#include "reports/statistics.hpp"
#include "tests/reports/example_study.hpp"

namespace inferometer {
namespace {

TEST(Explanation, PartsSumToTheMeasuredTimeExactly) {
  for (const bool measured : {true, false}) {
    for (const VariantResult& v : example_study(measured).variants) {
      for (const PhaseResult& phase : v.phases) {
        const StepExplanation step = explain(v.structure, phase);
        Nanoseconds predicted{}, all{};
        for (const RoleTime& r : step.roles) {
          EXPECT_EQ(r.explanation.predicted(), r.predicted) << r.role;
          EXPECT_EQ(r.explanation.total(), measured ? *r.measured : r.predicted) << r.role;
          predicted += r.predicted;
          all += r.explanation.total();
        }
        EXPECT_EQ(predicted, phase.prediction.timeline.end);
        EXPECT_EQ(all, measured ? phase.measured->median : phase.prediction.timeline.end);
        EXPECT_EQ(step.total.explanation.total(), all);
      }
    }
  }
}

TEST(Explanation, DifferencesSumToTheDifferenceOfTheSteps) {
  const StudyResult study = example_study(true);
  const VariantResult& base = study.variants[0];
  for (const VariantResult& v : study.variants) {
    for (std::size_t p = 0; p < v.phases.size(); ++p) {
      const StepDifference d =
          subtract(explain(v.structure, v.phases[p]), explain(base.structure, base.phases[p]));
      Nanoseconds sum{};
      for (const Difference& r : d.roles) {
        EXPECT_EQ(r.explanation.total(), *r.measured) << r.role;
        EXPECT_EQ(r.explanation.predicted(), r.predicted) << r.role;
        sum += r.explanation.total();
      }
      EXPECT_EQ(sum, *d.total.measured);
      EXPECT_EQ(sum, v.phases[p].measured->median - base.phases[p].measured->median);
    }
  }
}

TEST(Explanation, WhatNoNodeAccountsForIsItsOwnRow) {
  const StudyResult study = example_study(true);
  const VariantResult& v = study.variants[0];
  const RoleTime row = explain(v.structure, v.phases[0]).roles.back();
  EXPECT_EQ(row.role, StepExplanation::between);
  // 3 us of set-up in the profile, and a step that is 2 us shorter when nobody looks inside.
  EXPECT_EQ(*row.measured, Nanoseconds{1000});
}

TEST(Statistics, QuantilesInterpolate) {
  EXPECT_DOUBLE_EQ(quantile({3, 1, 2}, 0.5), 2);
  EXPECT_DOUBLE_EQ(quantile({1, 2}, 0.5), 1.5);
  EXPECT_DOUBLE_EQ(quantile({0, 10}, 0.9), 9);
}

TEST(Statistics, EffectsAreThroughputsOverTheBaselines) {
  const StudyResult study = example_study(true);
  const Quality q = quality_of(study);
  EXPECT_EQ(q.steps.size(), 6U);
  for (const Effect& e : q.effects) {
    if (e.variant != "batch | 4" || e.phase != "decode") continue;
    // Four times the tokens in steps of the same measured length.
    EXPECT_DOUBLE_EQ(*e.measured, 4);
    EXPECT_TRUE(e.counts());
    EXPECT_TRUE(e.same_direction());
  }
}

TEST(Statistics, ADirectionIsWhatTheEffectSays) {
  EXPECT_TRUE((Effect{"", "", 1.2, 1.5}.same_direction()));
  EXPECT_FALSE((Effect{"", "", 0.9, 1.5}.same_direction()));
  EXPECT_FALSE((Effect{"", "", 1.0, 0.8}.same_direction()));
  EXPECT_FALSE((Effect{"", "", 1.0, 1.2}.same_direction()));
  EXPECT_FALSE((Effect{"", "", 1.2, 1.05}.counts()));
  EXPECT_FALSE((Effect{"", "", 1.2, {}}.counts()));
}

}  // namespace
}  // namespace inferometer
