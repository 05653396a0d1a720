#pragma once
#include "scenarios/study.hpp"

namespace inferometer {

/// Measures by rule: node i takes (i % 7 + 1) us, set-up 3 us, a step timed from outside 2 us less than its
/// profile, or as long where a copy runs beside it, which takes 20 us alone and 25 us beside; watches see
/// what their number says.
class RuleBackend final : public Backend {
 public:
  std::string name() const override { return "rule"; }
  Result<MemoryUse> prepare(const Case& c, const Structure& structure) override {
    nodes_ = structure.nodes.size();
    output_.tokens.assign(static_cast<std::size_t>(c.workload.batch), 0);
    return MemoryUse{.weights = Bytes{1 << 20},
                     .kv = Bytes{1 << 18},
                     .activations = Bytes{1 << 16},
                     .capacity = Bytes{1 << 30}};
  }
  Result<Timeline> run(const Graph&, const Step&) override {
    Timeline timeline;
    const auto add = [&](Span span) {
      span.start = timeline.end;
      timeline.end += span.duration;
      timeline.spans.push_back(std::move(span));
    };
    add({.nodes = {}, .kind = SpanKind::host, .duration = Nanoseconds{3000}, .kernel = "set-up"});
    for (std::size_t i = 0; i < nodes_; ++i)
      add({.nodes = {static_cast<std::int32_t>(i)},
           .duration = Nanoseconds{static_cast<std::int64_t>(i % 7 + 1) * 1000},
           .kernel = "k"});
    return timeline;
  }
  const Output& output() const override { return output_; }
  void keep_logits(bool) override {}
  std::unique_ptr<StepTimer> timer() override {
    struct Timer final : StepTimer {
      explicit Timer(RuleBackend& b) : backend(b) {}
      Result<Nanoseconds> time(const Step& step) override {
        copied_ = Nanoseconds{step.slices.empty() ? 20'000 : 25'000};
        if (step.slices.empty()) return Nanoseconds{0};
        return backend.run(Graph{}, step)->end - Nanoseconds{step.copy_beside ? 0 : 2000};
      }
      Nanoseconds copied() const override { return copied_; }
      Nanoseconds copied_{0};
      RuleBackend& backend;
    };
    return std::make_unique<Timer>(*this);
  }
  std::unique_ptr<DeviceWatch> watch() override { return std::make_unique<Watch>(watches_++); }

 private:
  /// The first phase was throttled, the last was not seen, of the second only the clocks were.
  struct Watch final : DeviceWatch {
    explicit Watch(int n) : number(n) {}
    void begin() override { ++begun; }
    void end() override { ++ended; }
    RunConditions conditions() const override {
      if (number == 5) return {.not_available = "libnvidia-ml.so.1: no such file"};
      RunConditions c{.samples = begun == ended ? 10 * begun : 0,
                      .power_limit = Watts{700},
                      .mean_sm_clock = Hertz{1755e6},
                      .least_sm_clock = Hertz{1620e6},
                      .top_sm_clock = Hertz{1980e6}};
      if (number == 1) return c.not_available = "power: Not Supported; energy: Not Supported", c;
      c.mean_power = Watts{612.3};
      c.most_power = Watts{655};
      c.energy = Joules{240};
      c.mean_memory_clock = Hertz{3201e6};
      c.most_temperature = Celsius{64};
      c.throttles.emplace();
      if (number == 0) c.throttles = {Throttle::power_cap, Throttle::thermal};
      if (number == 0) c.throttled_samples = 7;
      return c;
    }
    int number, begun = 0, ended = 0;
  };
  int watches_ = 0;
  std::size_t nodes_ = 0;
  Output output_;
};

/// tests/fixtures/library's tiny model on its unit-cpu, as it is, fused and with a batch of 4.
inline StudyResult example_study(bool measured, const CopyBeside& copy_beside = {}) {
  const Library library{.root = std::string{INFEROMETER_FIXTURES} + "/library", .calibration = "none"};
  Scenario s{.name = "example <1>",
             .description = "What a \"report\" shows & how",
             .file = "example.yaml",
             .model = "tiny"};
  s.backend = measured ? "rule" : "";
  s.repeats = 3;
  s.baseline.models["model"] = load_model("tiny", library).value();
  s.baseline.cluster.device = load_device("unit-cpu", library).value();
  s.baseline.workload = {.batch = 1, .prompt_tokens = 8, .output_tokens = 3, .copy_beside = copy_beside};
  const auto variant = [&](const char* name, auto change) {
    Variant v{.name = name, .optimizations = {}, .edits = {}, .edited = s.baseline};
    change(v.edited);
    s.variants.push_back(v);
  };
  variant("fused", [](Case& c) {
    c.plan.fusion = {.qkv = true, .gate_up = true, .residual_norm = true};
    c.plan.launch.overlap = true;
  });
  variant("batch | 4", [](Case& c) { c.workload.batch = 4; });
  RuleBackend backend;
  StudyResult study = run_study(s, s.calibration, measured ? &backend : nullptr, "there is no backend",
                                [](const std::string&, double) {})
                          .value();
  study.variants[0].phases[0].prediction.clock = 0.875;  // as if a limit of power were known of the first
  study.provenance = {.version = "0",
                      .revision = "abc",
                      .machine = "a machine",
                      .operating_system = "an OS",
                      .compiler = "a compiler",
                      .date = "2026-01-01 00:00:00 UTC",
                      .backend = measured ? "rule" : "none",
                      .device = "unit-cpu",
                      .calibration = "none",
                      .tuning = "none",
                      .level = Level::datasheet,
                      .more = {}};
  return study;
}

}  // namespace inferometer
