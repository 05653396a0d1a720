#include "roofline/steps/fit_steps.hpp"

#include <gtest/gtest.h>

#include "tests/roofline/sampled_steps.hpp"
#include "tests/simulator/chosen_gpu.hpp"

namespace inferometer {
namespace {

TEST(FitSteps, TellsTheGapsAtALibrarysKernelsFromTheOthers) {
  // Of 8 gaps, those on both sides of 4 products: all 8 of them with many rows, none with few.
  const Seconds few{8 * 0.1e-6}, many{8 * 0.9e-6};
  std::vector<StepSamples> steps;
  for (const std::int64_t rows : {2, 16, 64}) steps.push_back(step(LaunchMode::graph_overlap, rows, few));
  for (const std::int64_t rows : {65, 128, 500}) steps.push_back(step(LaunchMode::graph_overlap, rows, many));
  steps.push_back(step(LaunchMode::graph_overlap, 256, many, Seconds{50e-6}));  // the host was late
  const Gaps gaps = fit_steps(steps, chosen_gpu(Seconds{0})).gaps().at(LaunchMode::graph_overlap);
  EXPECT_NEAR(gaps.between.count() * 1e6, 0.1, 1e-6);
  EXPECT_NEAR(gaps.at_library.count() * 1e6, 0.9, 1e-6);
}

TEST(FitSteps, WhereOnlyOneKindWasMeasuredItSpeaksForBoth) {
  const auto gaps_of = [](std::int64_t rows, Seconds gaps) {
    return fit_steps({step(LaunchMode::graph, rows, gaps), step(LaunchMode::graph, rows + 1, gaps)},
                     chosen_gpu(Seconds{0}))
        .gaps()
        .at(LaunchMode::graph);
  };
  const Gaps few = gaps_of(8, Seconds{8 * 0.3e-6}), many = gaps_of(80, Seconds{8 * 0.4e-6});
  EXPECT_NEAR(few.between.count() * 1e6, 0.3, 1e-6);
  EXPECT_EQ(few.between, few.at_library);
  EXPECT_NEAR(many.between.count() * 1e6, 0.4, 1e-6);
  EXPECT_EQ(many.between, many.at_library);
}

/// Kernels that are launched eagerly: the host reaches each a while after the one before.
StepSamples launched(std::int64_t rows, Seconds each, const Gaps& gaps) {
  StepSamples s = step(LaunchMode::eager_overlap, rows, Seconds{0});
  Seconds end{0}, host{0};
  GapWalk walk(gaps);
  for (StepSample& k : s.kernels) {
    k.exposed = each;
    host += *gaps.dispatch;
    end = std::max(end, host) + walk.next(rows > 64 && std::holds_alternative<Gemm>(k.calls[0].call)) + each;
  }
  s.untraced = end;
  return s;
}

TEST(FitSteps, TellsALateHostFromGapsOfTheDevice) {
  const Device gpu = chosen_gpu(Seconds{0});
  for (const double dispatch : {3.0, 12.0}) {
    const Gaps is{
        .between = Seconds{0.2e-6}, .at_library = Seconds{1e-6}, .dispatch = Seconds{dispatch * 1e-6}};
    std::vector<StepSamples> steps;
    for (const std::int64_t rows : {8, 128}) {
      for (const double us : {2.0, 7.0, 11.0, 20.0, 45.0})
        steps.push_back(launched(rows, Seconds{us * 1e-6}, is));
    }
    const Gaps found = fit_steps(steps, gpu).gaps().at(LaunchMode::eager_overlap);
    EXPECT_NEAR(found.dispatch->count() * 1e6, dispatch, 0.2);
    EXPECT_NEAR(found.between.count() * 1e6, 0.2, 0.1) << dispatch;
    EXPECT_NEAR(found.at_library.count() * 1e6, 1, 0.1) << dispatch;
  }
  EXPECT_FALSE(
      fit_steps({step(LaunchMode::graph, 8, Seconds{0})}, gpu).gaps().at(LaunchMode::graph).dispatch);
}

TEST(FitSteps, GapsOfEagerStepsHaveNoUpperBound) {
  const Gaps is{.between = Seconds{6e-6}, .at_library = Seconds{9e-6}, .dispatch = Seconds{60e-6}};
  std::vector<StepSamples> steps;
  for (const std::int64_t rows : {8, 128}) {
    for (const double us : {2.0, 40.0, 60.0, 90.0}) steps.push_back(launched(rows, Seconds{us * 1e-6}, is));
  }
  const Gaps found = fit_steps(steps, chosen_gpu(Seconds{0})).gaps().at(LaunchMode::eager_overlap);
  EXPECT_NEAR(found.dispatch->count() * 1e6, 60, 0.5);
  EXPECT_NEAR(found.between.count() * 1e6, 6, 0.5);
  EXPECT_NEAR(found.at_library.count() * 1e6, 9, 0.5);
}

TEST(FitSteps, StepsOfALibrarysKernelsTellTheirGaps) {
  std::vector<StepSamples> steps;
  for (const int kernels : {6, 20, 60}) {
    StepSamples s{.mode = LaunchMode::eager};
    for (int k = 0; k < kernels; ++k)
      s.kernels.push_back({.calls = {product(128)}, .exposed = Seconds{20e-6}});
    s.untraced = Seconds{3e-6 + kernels * 20.8e-6};  // the first waits for the host
    steps.push_back(std::move(s));
  }
  const Gaps found = fit_steps(steps, chosen_gpu(Seconds{0})).gaps().at(LaunchMode::eager);
  EXPECT_NEAR(found.at_library.count() * 1e6, 0.8, 0.1);
}

TEST(FitSteps, StepsAtTheirPowerLimitSayNothingOfGaps) {
  const Gaps is{.between = Seconds{0.2e-6}, .at_library = Seconds{1e-6}, .dispatch = Seconds{4e-6}};
  const auto found_with = [&](double clock) {
    std::vector<StepSamples> steps;
    for (const double us : {2.0, 7.0, 20.0}) steps.push_back(launched(8, Seconds{us * 1e-6}, is));
    for (int n = 0; n < 5; ++n) {
      StepSamples slow = launched(128, Seconds{500e-6}, is);
      slow.untraced *= 1.2;
      slow.clock = clock;
      steps.push_back(std::move(slow));
    }
    return fit_steps(steps, chosen_gpu(Seconds{0})).gaps().at(LaunchMode::eager_overlap).at_library;
  };
  EXPECT_LT(found_with(0.8), Seconds{2e-6});
  EXPECT_GT(found_with(1.0), Seconds{5e-6}) << "clocks do not explain them";
}

TEST(FitSteps, WhatTheFirstLayerTakesLongerIsNotFitted) {
  const auto time_with = [](double first) {
    std::vector<StepSamples> steps;
    for (const std::int64_t rows : {2, 4, 8, 16, 24, 32, 40, 48, 56, 64}) {
      steps.push_back(step(LaunchMode::graph, rows, Seconds{0}));
      for (StepSample& k : steps.back().kernels) k.exposed *= 10;
      steps.back().kernels[1].exposed *= first;
    }
    const Device gpu = chosen_gpu(Seconds{0});
    return fit_steps(steps, gpu).predict(product(24), gpu, Level::residual_corrected, 1).time;
  };
  EXPECT_NEAR(time_with(1), 100, 5);
  EXPECT_EQ(time_with(3), time_with(1));
}

TEST(GapWalk, AGapBetweenTwoKernelsOfALibraryIsCountedOnce) {
  const double between = 1, at_library = 5;  // us
  GapWalk walk({.between = Seconds{between}, .at_library = Seconds{at_library}});
  const std::vector<std::pair<bool, double>> kernels{{false, between},
                                                     {true, 2 * at_library - between},
                                                     {true, at_library},
                                                     {false, between},
                                                     {true, 2 * at_library - between}};
  for (const auto& [library, gap] : kernels) EXPECT_DOUBLE_EQ(walk.next(library).count(), gap);
}

}  // namespace
}  // namespace inferometer
