#include <benchmark/benchmark.h>

#include "scenarios/scenario.hpp"
#include "simulator/step_predictor.hpp"

// Whole steps of Llama-3.1-8B on an H200: predict() of a network seen for the first time, and the closed form
// over features as sequences grow.

namespace inferometer {
namespace {

Case decoding() {
  const Library library{.root = std::filesystem::path{INFEROMETER_SOURCE} / "scenarios", .calibration = {}};
  Case c;
  c.models["model"] = *load_model("llama-3.1-8b", library);
  c.cluster.device = *load_device("h200-sxm", library);
  c.plan.fusion = {.qkv = true, .gate_up = true, .residual_norm = true, .rope_kv = true};
  c.plan.launch.graphs = true;
  return c;
}

Features sequences(std::int64_t count, std::int64_t cached) {
  Features f{.tokens = count, .sequences = count, .logit_rows = count};
  for (std::int64_t i = 0; i < count; ++i) f.slices.push_back({1, cached + 7 * i});
  return f;
}

void cold(benchmark::State& state) {
  const Case c = decoding();
  const Structure structure = *compile(c.model(), c.plan);
  const Calibration calibration;
  const Features f = sequences(state.range(0), 1000);
  for (auto _ : state) benchmark::DoNotOptimize(predict(c, structure, f, calibration).timeline.end);
}
BENCHMARK(cold)->ArgName("sequences")->Arg(1)->Arg(64)->Unit(benchmark::kMicrosecond);

void compiled(benchmark::State& state) {
  const Case c = decoding();
  const Structure structure = *compile(c.model(), c.plan);
  const Calibration calibration;
  StepPredictor predictor(c, structure, calibration);
  Features f = sequences(state.range(0), 1000);
  for (auto _ : state) {
    for (AttentionSlice& s : f.slices) ++s.cached;
    benchmark::DoNotOptimize(predictor.time(f));
    if (f.slices[0].cached > 4000) f = sequences(state.range(0), 1000);
  }
}
BENCHMARK(compiled)->ArgName("sequences")->Arg(1)->Arg(64)->Arg(256)->Unit(benchmark::kMicrosecond);

/// A step with a prompt, which a limit of power slows down: it is predicted twice.
void limited(benchmark::State& state) {
  const Case c = decoding();
  const Structure structure = *compile(c.model(), c.plan);
  Calibration calibration;
  if (state.range(0) != 0)
    calibration.kernels = std::make_shared<StepModels>(std::map<OperatorAndVariant, FittedModel>{},
                                                       std::map<LaunchMode, Gaps>{}, PowerLimit{0.6, 1.9});
  StepPredictor predictor(c, structure, calibration);
  StepTotals totals = totals_of(sequences(64, 1000));
  totals.attended.prompts = totals_of({.slices = {{512, 0}}}).attended.prompts;
  for (auto _ : state) {
    totals.attended.single.all += 64;
    if (totals.attended.single.all > 64 * 4000) totals.attended.single.all = 64 * 1000;
    benchmark::DoNotOptimize(predictor.time(totals));
  }
}
BENCHMARK(limited)->ArgName("limit")->Arg(0)->Arg(1)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace inferometer
