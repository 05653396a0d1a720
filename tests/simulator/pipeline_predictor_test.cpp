#include "simulator/pipeline_predictor.hpp"

#include <gtest/gtest.h>

#include "model/stages.hpp"
#include "tests/model/networks.hpp"
#include "tests/simulator/chosen_gpu.hpp"

namespace inferometer {
namespace {

Case staged(std::int64_t stages, bool graphs) {
  Case c;
  c.models["model"] = tiny_llama();
  c.models["model"].layers = 5;
  c.plan.launch.graphs = graphs;
  c.plan.launch.batch_buckets = {8};
  c.plan.parallel.pipeline = stages;
  Device& d = c.cluster.device;
  d = chosen_gpu(Seconds{2e-6});
  d.link_bandwidth = Sourced<BytesPerSecond>{BytesPerSecond{1e9}, "chosen"};
  d.link_latency = Sourced<Seconds>{Seconds{3e-6}, "chosen"};
  c.engine = {.per_step = Seconds{7e-6}, .per_sequence = Seconds{0.3e-6}};
  return c;
}

TEST(PipelinePredictor, StagesAndHandOversOfALoneBatchAddUpToThePredictedStep) {
  const Calibration calibration;
  for (const bool graphs : {false, true}) {
    for (const std::int64_t stages : {2, 3, 5}) {
      const Case c = staged(stages, graphs);
      const Structure structure = *compile(c.model(), c.plan);
      PipelinePredictor pipeline(c, structure, calibration);
      ASSERT_EQ(pipeline.stages(), static_cast<std::size_t>(stages));
      StepTotals totals{.attended = {}, .logit_rows = 5};
      totals.attended.single = {.count = 5, .fresh = 5, .all = 500};
      Nanoseconds sum = (stages - 1) * pipeline.hand_over(totals);
      for (std::size_t s = 0; s < pipeline.stages(); ++s) sum += pipeline.time(s, totals);
      const Prediction p = predict(c, structure, alike(totals), calibration);
      EXPECT_EQ(p.timeline.end, sum);
      EXPECT_EQ(p.nodes.size(), structure.nodes.size());
      EXPECT_EQ(p.timeline.spans.back().stream, stages - 1);
      EXPECT_EQ(StepPredictor(c, structure, calibration).time(totals), sum);
    }
  }
}

TEST(PipelinePredictor, HandsOverTheActivationsOfTheStepAsItIsRun) {
  const Calibration calibration;
  StepTotals totals{.attended = {}, .logit_rows = 5};
  totals.attended.single = {.count = 5, .fresh = 5, .all = 500};
  for (const bool graphs : {false, true}) {
    const Case c = staged(2, graphs);
    const Structure structure = *compile(c.model(), c.plan);
    const PipelinePredictor pipeline(c, structure, calibration);
    const std::int64_t rows = graphs ? 8 : 5;  // a recorded step is filled up
    EXPECT_EQ(pipeline.hand_over(totals), Nanoseconds{3000 + rows * 32 * 2}) << "at 1 B/ns";
  }
}

TEST(PipelinePredictor, TheEnginesHostWorksOnceAStep) {
  const Calibration calibration;
  Case c = staged(2, true);
  StepTotals totals{.attended = {}, .logit_rows = 1};
  totals.attended.single = {.count = 1, .fresh = 1, .all = 10};
  const Structure structure = *compile(c.model(), c.plan);
  const Nanoseconds with = predict(c, structure, alike(totals), calibration).timeline.end;
  c.engine = {};
  EXPECT_EQ(with - predict(c, structure, alike(totals), calibration).timeline.end, Nanoseconds{7300});
}

}  // namespace
}  // namespace inferometer
