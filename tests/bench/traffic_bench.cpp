#include <benchmark/benchmark.h>

#include "traffic/make_traffic.hpp"

// Reading a file of the size of the Mooncake conversation trace, and drawing a million requests.

namespace inferometer {
namespace {

/// 12,031 rows with 24 identities each.
std::string mooncake_like() {
  std::string text;
  for (int row = 0; row < 12'031; ++row) {
    text += "{\"timestamp\": " + std::to_string(300 * row) +
            ", \"input_length\": 12000, \"output_length\": 343, \"hash_ids\": [0";
    for (int block = 1; block < 24; ++block) text += ", " + std::to_string(15 * row + block);
    text += "]}\n";
  }
  return text;
}

void read_mooncake(benchmark::State& state) {
  const std::string text = mooncake_like();
  for (auto _ : state) benchmark::DoNotOptimize(read_trace(text, "trace.jsonl", 0));
  state.SetBytesProcessed(state.iterations() * std::ssize(text));
}
BENCHMARK(read_mooncake)->Unit(benchmark::kMillisecond);

void draw(benchmark::State& state, bool sessions) {
  TrafficSpec spec;
  spec.requests = 1'000'000;
  spec.prompt = LengthSpec{.mean = 900, .cv = 1.2};
  spec.output = LengthSpec{.mean = 220, .cv = 0.9};
  spec.arrivals = {.process = ArrivalProcess::gamma, .rate = 22, .cv = 2};
  if (sessions) {
    spec.sessions = SessionSpec{.turns = 4, .distribution = TurnCount::geometric, .think_time = Seconds{10}};
    spec.shared_prefix = SharedPrefix{.tokens = 1024, .share = 0.8};
  }
  for (auto _ : state) benchmark::DoNotOptimize(make_traffic(spec, {}, 1));
}
BENCHMARK_CAPTURE(draw, requests, false)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(draw, sessions, true)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace inferometer
