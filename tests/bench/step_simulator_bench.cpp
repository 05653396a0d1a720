#include <benchmark/benchmark.h>

#include <vector>

#include "simulator/step_simulator.hpp"

namespace inferometer {
namespace {

const std::vector<double> capacities{4.8e12, 9.9e14};  // B/s of memory, FLOP/s: an H200's, as sold

/// Eager kernels of 5 to 8 us, dispatched in 4 us each, dealt to the streams in turn; on several streams they
/// compete for memory.
std::vector<Task> kernels(int count, int streams) {
  std::vector<Task> tasks(count);
  for (int i = 0; i < count; ++i) {
    const double alone = 1e-6 * (5 + i % 4);
    tasks[i] = {.alone = Seconds{alone},
                .demands = {{0, .7 * capacities[0] * alone}, {1, .1 * (i % 3) * capacities[1] * alone}},
                .stream = i % streams,
                .host = Seconds{4e-6 / streams}};
  }
  return tasks;
}

void simulate_kernels(benchmark::State& state) {
  const auto tasks = kernels(2000, static_cast<int>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(simulate_step(tasks, capacities));
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(tasks.size()));
}
BENCHMARK(simulate_kernels)->ArgName("streams")->Arg(1)->Arg(4)->Arg(16)->Unit(benchmark::kMicrosecond);

void closed_form(benchmark::State& state) {
  const auto tasks = kernels(2000, 1);
  for (auto _ : state) benchmark::DoNotOptimize(single_stream_time(tasks));
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(tasks.size()));
}
BENCHMARK(closed_form)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace inferometer
