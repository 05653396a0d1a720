#include "scenarios/step_grid.hpp"

#include <gtest/gtest.h>

#include <set>

#include "roofline/steps/fit_steps.hpp"
#include "scenarios/files.hpp"
#include "scenarios/judge_steps.hpp"
#include "scenarios/measure_steps.hpp"

namespace inferometer {
namespace {

const Library library{.root = std::filesystem::path{INFEROMETER_FIXTURES} / "library", .calibration = {}};

Result<StepGrid> read(const std::string& text) {
  return read_grid(text, "grid.yaml", *load_device("unit-gpu", library), library);
}

constexpr const char* grid = R"(
plans:
  plain: {}
  graphs: {launch: {graphs: true}, kv.block_tokens: 8}
steps:
  decode: [1x1+9, 3x1+20]
runs:
  - {model: tiny, plans: [plain, graphs], formats: [none, fp8], steps: [decode, "2x1+5 & 1x16+4"]}
  - {model: tiny, plans: [plain], formats: [none], steps: [1x6+0], set: {architecture.layers: 1}}
)";

TEST(StepGrid, IsEachPlanWithEachFormat) {
  const auto g = read(grid);
  ASSERT_TRUE(g) << to_string(g.error());
  ASSERT_EQ(g->runs.size(), 5u);
  EXPECT_EQ(g->runs[2].plan, "graphs");
  EXPECT_EQ(g->runs[1].format, "fp8");
  EXPECT_EQ(g->runs[1].settings.plan.precision.weights.value, DType::fp8);
  EXPECT_TRUE(g->runs[2].settings.plan.launch.graphs);
  EXPECT_EQ(g->runs[4].settings.model().layers, 1);
  ASSERT_EQ(g->runs[0].steps.size(), 3u);
  const std::vector<AttentionSlice> mixed{{1, 5}, {1, 5}, {16, 4}};
  EXPECT_EQ(g->runs[0].steps[2].slices, mixed);
}

TEST(StepGrid, HasRoomForEachStep) {
  const auto g = read(grid);
  ASSERT_TRUE(g);
  for (const GridRun& run : g->runs) {
    const Workload& w = run.settings.workload;
    const std::int64_t block = run.settings.plan.kv.block_tokens,
                       blocks = w.batch * ((w.prompt_tokens + w.output_tokens + block - 1) / block);
    for (const GridStep& of : run.steps) {
      const Step step = step_of(of, run.settings);
      EXPECT_LE(static_cast<std::int64_t>(step.slices.size()), w.batch) << of.text;
      std::vector<bool> used(static_cast<std::size_t>(blocks));
      for (const Slice& s : step.slices) {
        EXPECT_EQ(static_cast<std::int64_t>(s.tokens.size()), s.fresh);
        for (const std::int32_t b : s.block_table) {
          ASSERT_LT(b, blocks) << of.text;
          EXPECT_FALSE(used[static_cast<std::size_t>(b)]) << of.text;
          used[static_cast<std::size_t>(b)] = true;
        }
      }
    }
  }
}

TEST(StepGrid, MistakesAreToldAtTheirPlaces) {
  const auto told = [](const std::string& text) { return to_string(read(text).error()); };
  EXPECT_NE(told("plans: {p: {}}\nruns:\n  - {model: tiny, plans: [p], formats: [none], steps: [2x0+5]}")
                .find("runs[0].steps: \"2x0+5\" is neither a list"),
            std::string::npos);
  EXPECT_NE(told("plans: {p: {kv.block_tokens: 0}}\nruns:\n  - {model: tiny, plans: [p], formats: [none], "
                 "steps: [1x1+1]}")
                .find("kv.block_tokens"),
            std::string::npos);
  EXPECT_NE(told("runs: []\ncopies: [{bytes: 0 B, direction: to_host}]").find("copies[0].bytes: must be 1 B"),
            std::string::npos);
  EXPECT_NE(told("runs: []\ncopies: [{bytes: 1 B, direction: up}]").find("grid.yaml:2:34"),
            std::string::npos);
  EXPECT_NE(told("runs: []\ncopies: 3").find("copies: a list is needed"), std::string::npos);
  EXPECT_NE(told("steps: {a: [1x1+1, a]}\nruns: []").find("\"a\" is neither a list"), std::string::npos);
  EXPECT_NE(told("device: other\nruns: []").find("device: was measured on other"), std::string::npos);
  EXPECT_NE(told("plans: {p: {launch.graph: true}}\nruns: []").find("grid.yaml:1:13"), std::string::npos);
  EXPECT_NE(told("runs:\n  - {model: tiny, plans: [q], formats: [none], steps: [1x1+1]}")
                .find("\"q\" is not under plans"),
            std::string::npos);
  EXPECT_NE(told("plans: {p: {}}\nruns:\n  - {model: tiny, plans: [p], formats: [w9], steps: [1x1+1]}")
                .find("runs[0].formats"),
            std::string::npos);
  EXPECT_NE(told("plans: {p: {}}\nruns:\n  - {model: tiny, plans: [p], formats: [none], steps: [{step: "
                 "1x1+1, median: 5 us, "
                 "p10: 4 us, p90: 6 us, runs: 3, throttled: false, kernels: [[0, 1, 2]]}]}")
                .find("[first node, last node, exposed us, gap us] is needed"),
            std::string::npos);
}

/// Operators and sizes of the products and of the attention in a shipped grid.
std::set<std::pair<std::string, std::vector<std::int64_t>>> shapes_in(const std::string& name) {
  const Library shipped{.root = std::filesystem::path{INFEROMETER_SOURCE} / "scenarios", .calibration = {}};
  const std::filesystem::path file = shipped.root / "steps" / name;
  const auto g = read_grid(*read_file(file), file, *load_device("h200-sxm", shipped), shipped);
  EXPECT_TRUE(g) << to_string(g.error());
  std::set<std::pair<std::string, std::vector<std::int64_t>>> shapes;
  for (const GridRun& run : g->runs) {
    const Structure structure = *compile(run.settings.model(), run.settings.plan);
    for (const GridStep& step : run.steps) {
      const Features f = features(step);
      const Graph graph = bind(structure, f);
      for (std::size_t v = 0; v < structure.nodes.size(); ++v) {
        const NodeRange kernel = kernel_of(structure, v, f);
        if (kernel.first != v) continue;
        for (const StepCall& call : step_calls(graph, kernel, LaunchMode::eager, true)) {
          std::string op{operator_of(call.call)};
          if (op == "gemv") op = "gemm";  // the same product of one row
          if (op != "elementwise") shapes.emplace(op, shape_of(call.call));
        }
      }
    }
  }
  return shapes;
}

TEST(StepGrid, WhatIsJudgedHasOtherSizesThanWhatIsFitted) {
  const auto fitted = shapes_in("gpu-calibration.yaml"), judged = shapes_in("gpu-validation.yaml");
  EXPECT_GT(fitted.size(), 50u);
  EXPECT_GT(judged.size(), 10u);
  for (const auto& [op, shape] : judged) {
    std::string sizes;
    for (const std::int64_t s : shape) sizes += " " + std::to_string(s);
    EXPECT_FALSE(fitted.contains({op, shape})) << op << sizes;
  }
}

/// Node i takes i + 1 us, or each takes 3, with 2 us before it; a step 5 us more.
class CountingBackend : public Backend {
 public:
  explicit CountingBackend(bool alike = false) : alike_(alike) {}
  std::string name() const override { return "counting"; }
  Result<MemoryUse> prepare(const Case& c, const Structure& structure) override {
    if (c.plan.launch.graphs) return failure("no graphs here");
    nodes_ = structure.nodes.size();
    return MemoryUse{.weights = Bytes{100}, .capacity = Bytes{200}};
  }
  Result<Timeline> run(const Graph&, const Step& step) override {
    if (step.slices.size() == 3) return failure("three are too many");
    Timeline t;
    for (std::size_t i = 0; i < nodes_; ++i) {
      t.spans.push_back({.nodes = {static_cast<std::int32_t>(i)},
                         .start = t.end + Nanoseconds{2000},
                         .duration = Nanoseconds{1000 * (alike_ ? 3 : static_cast<std::int64_t>(i + 1))},
                         .kernel = "k"});
      t.end = t.spans.back().start + t.spans.back().duration;
    }
    return t;
  }
  const Output& output() const override { return output_; }
  void keep_logits(bool) override {}
  std::unique_ptr<StepTimer> timer() override {
    struct Timer final : StepTimer {
      explicit Timer(CountingBackend& b) : backend(b) {}
      Result<Nanoseconds> time(const Step& step) override {
        const auto run = backend.run(Graph{}, step);
        if (!run) return failure(run.error());
        return run->end + Nanoseconds{5000};
      }
      CountingBackend& backend;
    };
    return std::make_unique<Timer>(*this);
  }

 private:
  bool alike_;
  std::size_t nodes_ = 0;
  Output output_;
};

TEST(MeasureSteps, KeepsWhatCouldBeMeasuredAndTellsTheRest) {
  auto g = read(grid);
  ASSERT_TRUE(g);
  CountingBackend backend;
  const auto refused = measure_steps(*g, backend, 2, [](const std::string&, double) {});
  ASSERT_TRUE(refused) << to_string(refused.error());
  EXPECT_EQ(g->runs.size(), 3u) << "graphs were refused";
  EXPECT_EQ(refused->size(), 2u + 2 * 2) << "and steps of three sequences failed";
  const GridRun& run = g->runs[0];
  EXPECT_FALSE(run.steps[2].measured);
  const MeasuredStep& m = run.steps[0].measured.value();
  const auto nodes = static_cast<double>(m.kernels.size());
  EXPECT_DOUBLE_EQ(m.median.count() * 1e6, nodes * (nodes + 1) / 2 + 2 * nodes + 5);
  EXPECT_NEAR(m.kernels[3].exposed.count() * 1e6, 4, 1e-9);
  EXPECT_NEAR(m.kernels[3].gap.count() * 1e6, 2, 1e-9);
  EXPECT_EQ(run.memory_used->weights, Bytes{100});
}

/// Copies take 3 us but to the host, which it refuses.
class CopyingBackend final : public CountingBackend {
 public:
  Result<MemoryUse> prepare(const Case& c, const Structure& structure) override {
    if (c.workload.copy_beside.direction == CopyDirection::to_host) return failure("no way out");
    return CountingBackend::prepare(c, structure);
  }
  std::unique_ptr<StepTimer> timer() override {
    struct Timer final : StepTimer {
      explicit Timer(std::unique_ptr<StepTimer> t) : steps(std::move(t)) {}
      Result<Nanoseconds> time(const Step& step) override {
        copy = step.copy_beside ? Nanoseconds{3000} : Nanoseconds{0};
        return steps->time(step);
      }
      Nanoseconds copied() const override { return copy; }
      std::unique_ptr<StepTimer> steps;
      Nanoseconds copy{0};
    };
    return std::make_unique<Timer>(CountingBackend::timer());
  }
};

TEST(MeasureSteps, CopiesAreMeasuredAlone) {
  const std::string copies = R"(
copies:
  - {bytes: 2 GiB, direction: within_device}
  - {bytes: 1 MiB, direction: to_host}
)";
  auto g = read(grid + copies);
  ASSERT_TRUE(g) << to_string(g.error());
  CopyingBackend backend;
  const auto refused = measure_steps(*g, backend, 2, [](const std::string&, double) {});
  ASSERT_TRUE(refused) << to_string(refused.error());
  EXPECT_EQ(refused->back(), "copy to_host: no way out");
  ASSERT_EQ(g->copies.size(), 2U);
  g->facts["date"] = "today";
  EXPECT_EQ(g->copies[0].measured, Seconds{3e-6});
  EXPECT_FALSE(g->copies[1].measured);
  const auto again = read(print_grid(*g));
  ASSERT_TRUE(again) << to_string(again.error());
  EXPECT_EQ(again->copies[0].copy.bytes, Bytes{std::int64_t{2} << 30});
  EXPECT_EQ(print_grid(*again), print_grid(*g));
}

/// Long steps, the first much longer, on a device that runs at 0.8 of its top clock.
class SettlingBackend final : public CountingBackend {
 public:
  struct Seen {
    int steps = 0, before = -1, watched = 0, ends = 0;  ///< before: steps that had run when it was watched
  };
  Seen seen;
  std::unique_ptr<DeviceWatch> watch() override {
    struct Watch final : DeviceWatch {
      explicit Watch(SettlingBackend& b) : backend(b) {}
      void begin() override { backend.seen.before = backend.seen.steps; }
      void end() override {
        backend.seen.watched = backend.seen.steps - backend.seen.before;
        ++backend.seen.ends;
      }
      RunConditions conditions() const override {
        return {.mean_sm_clock = Hertz{1584e6}, .top_sm_clock = Hertz{1980e6}};
      }
      SettlingBackend& backend;
    };
    return std::make_unique<Watch>(*this);
  }
  std::unique_ptr<StepTimer> timer() override {
    struct Timer final : StepTimer {
      explicit Timer(SettlingBackend& b) : backend(b) {}
      Result<Nanoseconds> time(const Step&) override {
        return ++backend.seen.steps == 1 ? Nanoseconds{500'000'000} : Nanoseconds{5'000'000};
      }
      SettlingBackend& backend;
    };
    return std::make_unique<Timer>(*this);
  }
};

TEST(MeasureSteps, ClocksAreReadWhenLongStepsHaveMadeThemSettle) {
  auto g = read("plans: {p: {}}\nruns:\n  - {model: tiny, plans: [p], formats: [none], steps: [1x1+9]}");
  ASSERT_TRUE(g) << to_string(g.error());
  SettlingBackend backend;
  ASSERT_TRUE(measure_steps(*g, backend, 2, [](const std::string&, double) {}));
  const MeasuredStep& m = g->runs[0].steps[0].measured.value();
  EXPECT_EQ(backend.seen.before, 1 + 20) << "the first run, which is no measure of time, and 0.1 s";
  EXPECT_EQ(backend.seen.watched, 20);
  EXPECT_EQ(backend.seen.ends, 1);
  EXPECT_EQ(m.runs, 20);
  EXPECT_EQ(m.median, Seconds{5e-3});
  EXPECT_DOUBLE_EQ(m.clock.value(), 0.8);
}

TEST(MeasureSteps, WhatWasMeasuredReadsBackToTheSame) {
  auto g = read(grid);
  ASSERT_TRUE(g);
  CountingBackend backend;
  ASSERT_TRUE(measure_steps(*g, backend, 2, [](const std::string&, double) {}));
  g->facts["date"] = "2026-11-27 \"noon\"";
  g->runs[0].steps[0].measured->clock = 0.8525;
  const std::string text = print_grid(*g);
  const auto again = read(text);
  ASSERT_TRUE(again) << to_string(again.error());
  EXPECT_EQ(print_grid(*again), text);
  EXPECT_EQ(again->facts, g->facts);
  EXPECT_EQ(again->runs[0].steps[0].measured->clock, 0.8525);
  EXPECT_FALSE(again->runs[1].steps[0].measured->clock) << "what the backend does not tell";
  std::string wrong = text;
  wrong.replace(wrong.find("clock: 0.8525"), 13, "clock: 1.2");
  const auto refused = read(wrong);
  ASSERT_FALSE(refused);
  EXPECT_NE(to_string(refused.error()).find("clock"), std::string::npos);
  EXPECT_EQ(again->runs[0].steps[0].measured->kernels.size(), g->runs[0].steps[0].measured->kernels.size());
}

TEST(JudgeSteps, AFitToStepsExplainsThem) {
  auto g = read(grid);
  ASSERT_TRUE(g);
  CountingBackend backend(true);
  ASSERT_TRUE(measure_steps(*g, backend, 2, [](const std::string&, double) {}));
  const auto samples = samples_of(*g);
  ASSERT_TRUE(samples);
  Calibration calibration;
  calibration.level = Level::residual_corrected;
  calibration.kernels = std::make_shared<StepModels>(fit_steps(*samples, *load_device("unit-gpu", library)));
  // Each kernel leaves 2 us, and each step 5, as if it had waited for the first launch.
  const Gaps gaps = calibration.kernels->gaps().at(LaunchMode::eager);
  EXPECT_NEAR(gaps.between.count() * 1e6, 2, 0.1);
  EXPECT_NEAR(gaps.dispatch->count() * 1e6, 5, 0.2);
  const auto judged = judge_steps(*g, calibration);
  ASSERT_TRUE(judged) << to_string(judged.error());
  for (const JudgedStep& s : judged->steps) EXPECT_LT(std::abs(s.error()), 0.05) << s.step;
  ASSERT_FALSE(judged->memory.empty());
  EXPECT_EQ(judged->memory[0].used, Bytes{100});
}

}  // namespace
}  // namespace inferometer
