#include <benchmark/benchmark.h>

#include <random>

#include "simulator/serving/simulate.hpp"

// The serving loop by itself: requests of ShareGPT-like lengths at a load that keeps batches of about 60, over
// replicas, with a timer that costs nothing.

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
  std::exponential_distribution<double> gap(8.0 * static_cast<double>(replicas));  // requests/s
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

void loop(benchmark::State& state) {
  ServerSettings s;
  s.replicas = state.range(1);
  s.instance.kv_blocks = 30'000;
  s.instance.serving.max_num_batched_tokens = 2048;
  const Traffic traffic = poisson(state.range(0), s.replicas);
  ServingRun run;
  for (auto _ : state) {
    FreeTimer timer;
    run = *simulate(s, traffic, timer);
  }
  state.counters["steps"] = static_cast<double>(run.steps);
  state.counters["jumped"] = static_cast<double>(run.jumped_steps);
  state.counters["tokens/step"] = static_cast<double>(run.output_tokens) / static_cast<double>(run.steps);
  state.counters["s/step"] = benchmark::Counter(static_cast<double>(run.steps) * static_cast<double>(state.iterations()),
                                                 benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}
BENCHMARK(loop)->ArgNames({"requests", "replicas"})->Args({100'000, 16})->Args({1'000'000, 16})->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace inferometer
