#pragma once
#include "scenarios/study.hpp"

namespace inferometer {

/// Measures by rule: node i takes (i % 7 + 1) us, set-up 3 us, a step timed from outside 2 us less than its
/// profile.
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
        return backend.run(Graph{}, step)->end - Nanoseconds{2000};
      }
      RuleBackend& backend;
    };
    return std::make_unique<Timer>(*this);
  }

 private:
  std::size_t nodes_ = 0;
  Output output_;
};

/// tests/fixtures/library's tiny model on its unit-cpu, as it is, fused and with a batch of 4.
inline StudyResult example_study(bool measured) {
  const Library library{.root = std::string{INFEROMETER_FIXTURES} + "/library", .calibration = "none"};
  Scenario s{.name = "example <1>",
             .description = "What a \"report\" shows & how",
             .file = "example.yaml",
             .model = "tiny"};
  s.backend = measured ? "rule" : "";
  s.repeats = 3;
  s.baseline.models["model"] = load_model("tiny", library).value();
  s.baseline.cluster.device = load_device("unit-cpu", library).value();
  s.baseline.workload = {.batch = 1, .prompt_tokens = 8, .output_tokens = 3};
  const auto variant = [&](const char* name, auto change) {
    Variant v{.name = name, .optimizations = {}, .edits = {}, .edited = s.baseline};
    change(v.edited);
    s.variants.push_back(v);
  };
  variant("fused", [](Case& c) { c.plan.fusion = {.qkv = true, .gate_up = true, .residual_norm = true}; });
  variant("batch | 4", [](Case& c) { c.workload.batch = 4; });
  RuleBackend backend;
  StudyResult study = run_study(s, s.calibration, measured ? &backend : nullptr, "there is no backend",
                                [](const std::string&, double) {})
                          .value();
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
