#include <benchmark/benchmark.h>

#include <array>

#include "tests/bench/serving_load.hpp"

// The serving loop by itself, with a timer that costs nothing, and with predicted steps.

namespace inferometer {
namespace {

struct FreeTimer final : BatchTimer {
  Result<Nanoseconds> time(const Batch& batch) override {
    const StepTotals& t = batch.totals;
    return Nanoseconds{6'000'000 + 10'000 * t.tokens() + 5 * t.attended.single.all};
  }
};

void count(benchmark::State& state, const ServingRun& run) {
  const auto real = [](std::int64_t n) { return static_cast<double>(n); };
  const auto time_of = [&](std::int64_t n) {
    return benchmark::Counter(real(n) * real(state.iterations()),
                              benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
  };
  state.counters["steps"] = real(run.steps);
  state.counters["jumped"] = real(run.jumped_steps);
  state.counters["tokens/step"] = real(run.output_tokens) / real(run.steps);
  state.counters["utilisation"] = utilisation_of(run);
  state.counters["s/step"] = time_of(run.steps);
  state.counters["s/event"] = time_of(events_of(run));
}

void loop(benchmark::State& state) {
  ServerSettings s;
  s.replicas = state.range(1);
  s.instance.kv_blocks = 30'000;
  const Traffic traffic = poisson_traffic(state.range(0), s.replicas);
  ServingRun run;
  for (auto _ : state) {
    FreeTimer timer;
    run = *simulate(s, traffic, timer);
  }
  count(state, run);
}
BENCHMARK(loop)->ArgNames({"requests", "replicas"})->Args({1'000'000, 16})->Unit(benchmark::kMillisecond);

void handed_over(benchmark::State& state) {
  PooledServer s{.transfer = {.block = Bytes{1 << 21}, .layers = 32, .overlap = KvOverlap::layers}};
  for (const PoolRole role : {PoolRole::prefill, PoolRole::decode}) {
    PoolSettings pool{.replicas = state.range(1) / 2, .link = BytesPerSecond{50e9}};
    pool.instance.kv_blocks = 30'000;
    pool.instance.role = role;
    s.pools.push_back(pool);
  }
  const Traffic traffic = poisson_traffic(state.range(0), state.range(1));
  ServingRun run;
  for (auto _ : state) {
    FreeTimer timer;
    const std::array<BatchTimer*, 2> timers{&timer, &timer};
    run = *simulate(s, traffic, timers);
  }
  count(state, run);
}
BENCHMARK(handed_over)
    ->ArgNames({"requests", "replicas"})
    ->Args({1'000'000, 16})
    ->Unit(benchmark::kMillisecond);

void predicted(benchmark::State& state) {
  const PredictedServer server(state.range(1));
  const Traffic traffic = poisson_traffic(state.range(0), state.range(1));
  ServingRun run;
  for (auto _ : state) run = server.serve(traffic);
  count(state, run);
}
BENCHMARK(predicted)
    ->ArgNames({"requests", "replicas"})
    ->ArgsProduct({{1'000, 10'000, 100'000, 1'000'000}, {1, 4, 16, 64}})
    ->Args({10'000'000, 64})
    ->Unit(benchmark::kMillisecond);

/// The Mooncake conversation trace on eight replicas, as scenarios/serve-mooncake.yaml has it, a cold
/// predictor each time; skipped without INFEROMETER_DATA.
void mooncake(benchmark::State& state) {
  const Library library{.root = std::filesystem::path{INFEROMETER_SOURCE} / "scenarios", .calibration = {}};
  const Result<Scenario> scenario = load_scenario(library.root / "serve-mooncake.yaml", library);
  if (!scenario) return state.SkipWithError(to_string(scenario.error()).c_str());
  const Case& c = scenario->baseline;
  const Structure structure = *compile(c.model(), c.plan);
  const ServerSettings server = *server_of(c, kv_budget(c, structure));
  ServingRun run;
  for (auto _ : state) {
    PredictedTimer timer(c, structure, scenario->calibration);
    run = *simulate(server, *scenario->traffic, timer);
  }
  count(state, run);
}
BENCHMARK(mooncake)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace inferometer
