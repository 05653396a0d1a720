#include "scenarios/sweep.hpp"

#include <algorithm>
#include <map>

#include "tests/scenarios/files_for_tests.hpp"

namespace inferometer {
namespace {

const std::string served = served_scenario(40, 64);

/// Keeps points in memory.
struct Kept final : PointSink {
  std::map<std::string, std::string> points;  ///< key: what came out
  std::vector<std::string> placed;
  std::mutex guard;

  Result<bool> has(const std::string& key) override {
    const std::lock_guard lock(guard);
    return points.contains(key);
  }
  Done place(const SweepPoint& point, const std::string&) override {
    const std::lock_guard lock(guard);
    placed.push_back(point.run.name);
    return std::monostate{};
  }
  Done keep(const PointResult& r) override {
    const std::lock_guard lock(guard);
    EXPECT_EQ(r.failed.empty(), r.result.has_value());
    std::string text = r.failed;
    if (r.result && r.result->serving)
      text = std::to_string(r.result->serving->predicted.metrics.e2el.mean.count());
    if (r.result && !r.result->serving) text = std::to_string(r.result->predicted_total().count());
    EXPECT_TRUE(points.emplace(r.key, text).second) << r.point.run.name << " is run twice";
    return std::monostate{};
  }
};

class Sweep : public InFolder {
 protected:
  void says(const std::string& text, const std::string& expected) const {
    const Result<Scenario> s = load_scenario(write("s.yaml", text), library_);
    ASSERT_FALSE(s) << expected;
    EXPECT_NE(told(s.error()).find(expected), std::string::npos) << told(s.error());
  }
  static SweepRun run(const Scenario& s, PointSink& sink, std::size_t threads = 1,
                      const std::string& program = "p") {
    const Result<SweepRun> ran = run_sweep(s, program, sink, threads, [](const std::string&, double) {});
    EXPECT_TRUE(ran);
    return *ran;
  }
};

TEST_F(Sweep, IsTheProductOfVariantsAndListsTheLastFastest) {
  const Scenario s = loaded(right_scenario +
                            "variants: [{name: long, set: {workload.output_tokens: 8}}]\n"
                            "sweep: {workload.batch: [1, 2, 3], precision: {weights: [bf16, f32]}}\n");
  EXPECT_EQ(axes_of(s), (std::vector<std::string>{"variant", "workload.batch", "precision.weights"}));
  ASSERT_EQ(points_of(s), 12U);
  std::vector<std::vector<std::string>> expected;
  for (const char* variant : {"baseline", "long"}) {
    for (const char* batch : {"1", "2", "3"}) {
      for (const char* weights : {"bf16", "f32"}) expected.push_back({variant, batch, weights});
    }
  }
  for (std::size_t p = 0; p < 12; ++p) {
    const SweepPoint point = point_at(s, p);
    EXPECT_EQ(point.values, expected[p]);
    EXPECT_EQ(std::to_string(point.run.edited.workload.batch), expected[p][1]);
    EXPECT_EQ(point.run.edited.workload.output_tokens, expected[p][0] == "long" ? 8 : 4);
  }
  EXPECT_EQ(point_at(s, 7).run.name, "long, workload.batch 1, precision.weights f32");
}

TEST_F(Sweep, ADeviceComesWithWhatIsKnownOfIt) {
  const Scenario s = loaded(right_scenario + "sweep: {device: [unit-cpu, unit-gpu]}\n");
  ASSERT_EQ(points_of(s), 2U);
  EXPECT_EQ(point_at(s, 0).run.edited.cluster.device.kind, DeviceKind::cpu);
  EXPECT_EQ(point_at(s, 1).run.edited.cluster.device.kind, DeviceKind::gpu);
  EXPECT_NE(point_at(s, 0).calibration, point_at(s, 1).calibration);
}

TEST_F(Sweep, GivesTheSameForAnyNumberOfThreads) {
  const Scenario s =
      loaded(served + "sweep: {serving.max_num_seqs: [1, 2, 4, 8], serving.load: [0.5, 1, 2]}\n");
  Kept one, two, many;
  EXPECT_EQ(run(s, one, 1).keys, run(s, two, 2).keys);
  run(s, many, 16);
  EXPECT_EQ(one.points.size(), 12U);
  EXPECT_EQ(one.points, two.points);
  EXPECT_EQ(one.points, many.points);
}

TEST_F(Sweep, RunsOnlyWhatIsNotThereYet) {
  Kept sink;
  EXPECT_EQ(run(loaded(served + "sweep: {serving.max_num_seqs: [1, 2]}\n"), sink).ran, 2U);
  const std::string wider = served + "sweep: {serving.max_num_seqs: [1, 2, 4], serving.load: [1, 2]}\n";
  EXPECT_EQ(run(loaded(wider), sink).ran, 4U);  // of six, two are as before
  EXPECT_EQ(sink.placed.size(), 2U);
  EXPECT_EQ(run(loaded(wider), sink).ran, 0U);
  EXPECT_EQ(run(loaded(wider), sink, 1, "another program").ran, 6U);
}

TEST_F(Sweep, APointIsAnotherOneWhenAnythingDiffersThatCounts) {
  const auto key = [&](const std::string& text) {
    Kept sink;
    return run(loaded(text), sink).keys.front();
  };
  const std::string sweep = "sweep: {serving.max_num_seqs: [1]}\n";
  const std::string first = key(served + sweep);
  EXPECT_EQ(first, key(served + "description: other words\n" + sweep));
  for (const auto& [from, to] :
       std::map<std::string, std::string>{{"requests: 40", "requests: 41"},
                                          {"ttft: 2 ms", "ttft: 3 ms"},
                                          {"kv_blocks: 64", "kv_blocks: 65"},
                                          {"device: unit-gpu", "device: unit-cpu"}}) {
    std::string text = served + sweep;
    text.replace(text.find(from), from.size(), to);
    EXPECT_NE(first, key(text)) << to;
  }
  EXPECT_NE(first, key(served + "engine: {per_step: 1 us, source: a guess}\n" + sweep));
}

TEST_F(Sweep, OneCaseUnderTwoNamesRunsOnce) {
  const Scenario s = loaded(served +
                            "variants: [{name: same, set: {serving.kv_blocks: 64}}]\n"
                            "sweep: {serving.max_num_seqs: [1, 2]}\n");
  Kept sink;
  const SweepRun ran = run(s, sink, 2);
  EXPECT_EQ(ran.ran, 2U);
  EXPECT_EQ(ran.keys[0], ran.keys[2]);
  EXPECT_EQ(sink.placed.size(), 2U);
}

TEST_F(Sweep, APointThatCannotBeRunSaysWhyAndStopsNoOther) {
  Kept sink;
  const SweepRun ran = run(
      loaded(served + "sweep: {serving.max_num_batched_tokens: [4, 64], serving.max_num_seqs: [8]}\n"), sink);
  EXPECT_NE(sink.points.at(ran.keys[0]).find("leaves no token for some of 8 sequences"), std::string::npos);
  EXPECT_EQ(sink.points.at(ran.keys[1]).find("leaves"), std::string::npos);
  const SweepRun batches =
      run(loaded(right_scenario + "sweep: {architecture.vocab: [1000, 99999999]}\n"), sink);
  EXPECT_NE(sink.points.at(batches.keys[1]).find("does not fit"), std::string::npos);
}

TEST_F(Sweep, MistakesAreToldWhereTheyAre) {
  says(right_scenario + "sweep: {workload.batches: [1]}\n",
       "s.yaml:5:9: error: sweep: unknown key \"workload.batches\"; did you mean \"workload.batch\"?");
  says(right_scenario + "sweep: {workload.batch: [1, two]}\n",
       "s.yaml:5:29: error: sweep.workload.batch: \"two\"");
  says(right_scenario + "sweep: {workload.batch: [1, 2, 1]}\n",
       "s.yaml:5:32: error: sweep.workload.batch: \"1\" is listed twice");
  says(right_scenario + "sweep: {workload.batch: 4}\n",
       "s.yaml:5:25: error: sweep.workload.batch: a list of values is needed");
  says(right_scenario + "sweep: {workload: {batch: [1]}, workload.batch: [2]}\n",
       "s.yaml:5:33: error: sweep.workload.batch: is swept twice");
  says(right_scenario + "sweep: [1]\n", "s.yaml:5:8: error: sweep: a mapping of settings");
  says(right_scenario + "sweep: {device: [unit-gp]}\n",
       "s.yaml:5:18: error: sweep.device: unknown device \"unit-gp\"; did you mean \"unit-gpu\"?");
  says(right_scenario + "variants: [{name: v, set: {workload.batch: 4}}]\nsweep: {workload.batch: [1]}\n",
       "s.yaml:6:9: error: sweep.workload.batch: variant \"v\" sets it too");
  says(right_scenario + "execute: {backend: \"cuda:0\"}\nsweep: {workload.batch: [1]}\n",
       "s.yaml:6:8: error: sweep: its points are predicted");
}

TEST_F(Sweep, PoolsArePartOfAPoint) {
  const std::string text =
      served +
      "variants:\n"
      "  - {name: two, pools: [{name: a}, {name: b}]}\n"
      "  - {name: three, pools: [{name: a, replicas: 2}, {name: b}]}\n"
      "  - {name: apart, pools: [{name: a, role: prefill}, {name: b, role: decode}]}\n"
      "  - {name: own, pools: [{name: a, set: {serving.watermark_percent: 5}}, {name: b}]}\n";
  Kept kept;
  run(loaded(text + "sweep: {serving.max_num_seqs: [4, 8]}\n"), kept);
  EXPECT_EQ(kept.points.size(), 10U);
  EXPECT_EQ(point_at(loaded(text + "sweep: {serving.max_num_seqs: [4, 8]}\n"), 2)
                .run.pools.at(0)
                .edited.serving.max_num_seqs,
            4);
  for (const auto& [key, outcome] : kept.points)
    EXPECT_GT(std::strtod(outcome.c_str(), nullptr), 0) << "served in no time, or not: " << outcome;
}

}  // namespace
}  // namespace inferometer
