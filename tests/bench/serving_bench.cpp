#include <benchmark/benchmark.h>

#include <array>
#include <random>

#include "scenarios/scenario.hpp"
#include "simulator/serving/predicted_timer.hpp"
#include "simulator/serving/server.hpp"

// Requests of ShareGPT-like lengths over replicas: the serving loop by itself, with a timer that costs
// nothing, and with predicted steps of Llama-3.1-8B on H200s.

namespace inferometer {
namespace {

struct FreeTimer final : BatchTimer {
  Result<Nanoseconds> time(const Batch& batch) override {
    const StepTotals& t = batch.totals;
    return Nanoseconds{6'000'000 + 10'000 * t.tokens() + 5 * t.attended.single.all};
  }
};

Traffic poisson(std::int64_t requests, std::int64_t replicas) {
  std::mt19937_64 random(1);
  std::exponential_distribution<double> gap(30.0 * static_cast<double>(replicas));  // requests/s
  std::lognormal_distribution<double> prompt(5.2, 0.9), output(5.1, 0.8);
  Traffic traffic;
  double now = 0;
  for (std::int64_t i = 0; i < requests; ++i) {
    now += gap(random);
    traffic.requests.push_back({.arrival = to_ticks(Seconds{now}),
                                .prompt_tokens = 1 + static_cast<std::int32_t>(prompt(random)),
                                .output_tokens = 1 + static_cast<std::int32_t>(output(random))});
  }
  return traffic;
}

void count(benchmark::State& state, const ServingRun& run) {
  const auto real = [](std::int64_t n) { return static_cast<double>(n); };
  state.counters["steps"] = real(run.steps);
  state.counters["jumped"] = real(run.jumped_steps);
  state.counters["tokens/step"] = real(run.output_tokens) / real(run.steps);
  state.counters["utilisation"] =
      std::chrono::duration<double>(run.busy) / std::chrono::duration<double>(run.end) / real(run.instances);
  state.counters["s/step"] = benchmark::Counter(real(run.steps) * real(state.iterations()),
                                                benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void loop(benchmark::State& state) {
  ServerSettings s;
  s.replicas = state.range(1);
  s.instance.kv_blocks = 30'000;
  const Traffic traffic = poisson(state.range(0), s.replicas);
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
  const Traffic traffic = poisson(state.range(0), state.range(1));
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
  const Library library{.root = std::filesystem::path{INFEROMETER_SOURCE} / "scenarios", .calibration = {}};
  Case c;
  c.models["model"] = *load_model("llama-3.1-8b", library);
  c.cluster.device = *load_device("h200-sxm", library);
  c.plan.fusion = {.qkv = true, .gate_up = true, .residual_norm = true, .rope_kv = true};
  c.plan.launch.graphs = true;
  c.serving.replicas = state.range(1);
  const Structure structure = *compile(c.model(), c.plan);
  const Calibration calibration;
  const ServerSettings s = *server_of(c, kv_budget(c, structure));
  const Traffic traffic = poisson(state.range(0), s.replicas);
  ServingRun run;
  for (auto _ : state) {
    PredictedTimer timer(c, structure, calibration);
    run = *simulate(s, traffic, timer);
  }
  count(state, run);
}
BENCHMARK(predicted)
    ->ArgNames({"requests", "replicas"})
    ->Args({10'000, 16})
    ->Args({100'000, 16})
    ->Args({1'000'000, 16})
    ->Args({10'000'000, 64})
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace inferometer
