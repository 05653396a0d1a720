#include "roofline/steps/step_clocks.hpp"

#include <gtest/gtest.h>

#include "roofline/steps/fit_steps.hpp"
#include "tests/roofline/sampled_steps.hpp"
#include "tests/simulator/chosen_gpu.hpp"

namespace inferometer {
namespace {

TEST(StepClocks, AStretchIsWhatGapsDoNotExplain) {
  const Gaps gaps{.between = Seconds{0.1e-6}, .at_library = Seconds{0.9e-6}};
  StepSamples s = step(LaunchMode::graph_overlap, 128, Seconds{8 * 0.9e-6});
  EXPECT_EQ(stretch_of(s, gaps), 1) << "too short to reach a power limit";
  for (StepSample& k : s.kernels) k.exposed *= 100;
  s.untraced = Seconds{8000e-6 + 8 * 0.9e-6};
  EXPECT_NEAR(stretch_of(s, gaps), 1, 1e-9);
  s.untraced += Seconds{0.05 * 4000e-6};
  EXPECT_NEAR(stretch_of(s, gaps), 1.05, 1e-9) << "the products alone";
  s.clock = 0.85;
  EXPECT_NEAR(stretch_of(s, gaps), 1.05, 1e-9);
  s.clock = 0.99;
  EXPECT_EQ(stretch_of(s, gaps), 1) << "no power limit made it longer";
  // A host that takes 0.2 ms for a launch explains as much of an eager step: the first waits for it.
  s.mode = LaunchMode::eager_overlap;
  s.clock = 0.85;
  const Gaps slow_host{.between = gaps.between, .at_library = gaps.at_library, .dispatch = Seconds{0.2e-3}};
  EXPECT_NEAR(stretch_of(s, slow_host), 1, 1e-9);
}

constexpr PowerLimit is{.memory = 0.5, .compute = 2};

/// Products of so many rows, as a device runs them whose clock this limit lowers.
StepSamples limited_step(std::int64_t rows) {
  const Device gpu = chosen_gpu(Seconds{0});
  StepSamples s = step(LaunchMode::graph, rows, Seconds{0});
  const StepModels generic;
  const auto time = [&](const StepCall& call, double clock) {
    return Seconds{1e-6 * generic.predict(call, gpu, Level::calibrated, clock).time};
  };
  const double n = 4096, m = static_cast<double>(rows);
  s.work = {.memory = Seconds{4 * 2 * n * (n + 2 * m) / 1e12}, .compute = Seconds{4 * 2 * m * n * n / 1e14}};
  const Seconds at_top = 4 * (time(norm(), 1) + time(product(rows), 1));
  s.clock = is.clock(s.work, at_top);
  s.untraced = Seconds{0};
  for (StepSample& k : s.kernels) s.untraced += k.exposed = time(k.calls[0], *s.clock);
  return s;
}

TEST(StepClocks, KernelsAreFittedAtThoseThatTheirStepsRanAt) {
  std::vector<StepSamples> steps;
  for (std::int64_t rows = 192; rows <= 8192; rows += 128) steps.push_back(limited_step(rows));
  const Device gpu = chosen_gpu(Seconds{0});
  const StepModels found = fit_steps(steps, gpu), generic;
  ASSERT_TRUE(found.power_limit());
  for (const StepSamples& s : steps) {
    ASSERT_LT(*s.clock, 1);
    if (s.untraced < long_step) continue;
    EXPECT_NEAR(clock_of(s, found.gaps(s.mode, gpu), *found.power_limit(), gpu), *s.clock, 2.5 / 128)
        << "some steps of it";
  }
  for (const double clock : {1.0, 0.8}) {
    const auto time = [&](const StepModels& models) {
      return models.predict(product(4000), gpu, Level::calibrated, clock).time;
    };
    EXPECT_NEAR(time(found) / time(generic), 1, 0.03) << clock;
  }
}

TEST(StepClocks, OfStepsTooShortToSettleIsTheOneThatTheyHadIfAny) {
  StepSamples s = limited_step(2048);
  s.clock = 0.9;
  const Gaps none;
  EXPECT_LT(clock_of(s, none, is, chosen_gpu(Seconds{0})), 0.85) << "long";
  s.untraced = Seconds{1.5e-3};
  EXPECT_EQ(clock_of(s, none, is, chosen_gpu(Seconds{0})), 0.9);
  s.untraced = Seconds{0.5e-3};
  EXPECT_EQ(clock_of(s, none, is, chosen_gpu(Seconds{0})), 1) << "too short for a limit";
}

TEST(StepModels, LowerClocksSlowDownWhatMultiplies) {
  const Device gpu = chosen_gpu(Seconds{0});
  const StepModels generic;
  const auto ratio = [&](const StepCall& call) {
    return generic.predict(call, gpu, Level::calibrated, 0.8).time /
           generic.predict(call, gpu, Level::calibrated, 1).time;
  };
  EXPECT_NEAR(ratio(product(8192)), 1.25, 0.03) << "arithmetic sets its time";
  EXPECT_LT(ratio(product(1)), 1.05) << "memory does";
  EXPECT_EQ(ratio(norm()), 1);
}

}  // namespace
}  // namespace inferometer
