#include "simulator/step_work.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "model/hf_config.hpp"
#include "model/launch.hpp"

namespace inferometer {
namespace {

Case on_a_gpu(const std::string& family) {
  std::ifstream file(std::string{INFEROMETER_FIXTURES} + "/logits/" + family + "/config.json");
  std::ostringstream text;
  text << file.rdbuf();
  Case c;
  c.models["model"] = *read_hf_config(text.str(), family, family);
  Device& d = c.cluster.device;
  d.memory_bandwidth.value = BytesPerSecond{1e12};
  d.vector.value = FlopsPerSecond{1e13};
  d.matrix[DType::bf16].value = FlopsPerSecond{1e14};
  return c;
}

UnitTimes node_by_node(const Case& c, const Structure& structure, const Features& asked) {
  const Features run = padded(asked, c.plan);
  UnitTimes all;
  for (const StructureNode& node : structure.nodes)
    all += unit_times(work_of(bind(node, structure, run)), c.cluster.device);
  return all;
}

void expect_equal(const UnitTimes& a, const UnitTimes& b) {
  EXPECT_NEAR(a.memory.count(), b.memory.count(), 1e-9 * b.memory.count());
  EXPECT_NEAR(a.compute.count(), b.compute.count(), 1e-9 * b.compute.count());
}

Features step(std::vector<AttentionSlice> slices) {
  Features f{.sequences = static_cast<std::int64_t>(slices.size()),
             .logit_rows = static_cast<std::int64_t>(slices.size()),
             .slices = std::move(slices)};
  for (const AttentionSlice& s : f.slices) f.tokens += s.fresh;
  return f;
}

/// Windows, sinks, experts and latent attention among them.
TEST(StepWork, EqualsTheSumOverTheNodesOfEveryFamily) {
  for (const char* family : {"llama", "qwen3", "mixtral", "gpt_oss", "deepseek_v3"}) {
    SCOPED_TRACE(family);
    const Case c = on_a_gpu(family);
    const Structure structure = *compile(c.model(), c.plan);
    StepWork work(c, structure);
    for (const Features& f : {step({{1, 0}}), step({{1, 700}}), step({{300, 0}}),
                              step({{64, 500}, {64, 500}, {1, 40}, {1, 40}}), step({{1, 5}, {1, 5}, {1, 5}})})
      expect_equal(work.of(totals_of(f)), node_by_node(c, structure, f));
  }
}

TEST(StepWork, SingleTokensOfUnequalSequencesAreExact) {
  const Case c = on_a_gpu("llama");
  const Structure structure = *compile(c.model(), c.plan);
  const Features f = step({{1, 3}, {1, 4000}, {1, 250}});
  expect_equal(StepWork(c, structure).of(totals_of(f)), node_by_node(c, structure, f));
}

TEST(StepWork, CountsWhatPadsARecordedStep) {
  Case c = on_a_gpu("llama");
  c.plan.launch.graphs = true;
  c.plan.launch.batch_buckets = {8};
  const Structure structure = *compile(c.model(), c.plan);
  const Features f = step({{1, 30}, {1, 30}});
  const UnitTimes padded_times = StepWork(c, structure).of(totals_of(f));
  expect_equal(padded_times, node_by_node(c, structure, f));
  c.plan.launch.batch_buckets.clear();
  EXPECT_GT(padded_times.memory, StepWork(c, structure).of(totals_of(f)).memory);
}

/// Their scores go through memory.
TEST(StepWork, NaiveAttentionMovesItsScores) {
  Case c = on_a_gpu("llama");
  const Structure tiled = *compile(c.model(), c.plan);
  c.plan.kernels.attention = AttentionKernel::naive;
  const Structure structure = *compile(c.model(), c.plan);
  const Features f = step({{20, 100}});
  const UnitTimes times = StepWork(c, structure).of(totals_of(f));
  expect_equal(times, node_by_node(c, structure, f));
  EXPECT_GT(times.memory, StepWork(c, tiled).of(totals_of(f)).memory);
}

}  // namespace
}  // namespace inferometer
