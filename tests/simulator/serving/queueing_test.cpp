#include <gtest/gtest.h>

#include <cmath>

#include "tests/simulator/serving/workloads.hpp"

// One sequence at a time makes the server a queue with one place to be served, of which theory knows the mean
// wait.

namespace inferometer {
namespace {

using namespace serving_test;

ServerSettings one_at_a_time() {
  ServerSettings s = server(BatchingPolicy::vllm_v1, 1'000'000);
  s.instance.serving.max_num_seqs = 1;
  s.instance.serving.max_num_batched_tokens = 1'000'000;
  return s;
}

struct TimePerToken final : BatchTimer {
  Result<Nanoseconds> time(const Batch& batch) override { return Nanoseconds{batch.totals.tokens() * 100}; }
};

/// Requests of one output token each, whose prompts take `mean_tokens` on average, arriving at random so that
/// the server is busy for `load` of the time.
Traffic poisson(double load, double mean_tokens, bool exponential) {
  std::mt19937_64 random(42);
  std::exponential_distribution<double> unit(1.0);
  Traffic traffic;
  double now = 0;
  for (int i = 0; i < 400'000; ++i) {
    now += unit(random) * mean_tokens * 100 / load;
    const double tokens = exponential ? std::ceil(unit(random) * mean_tokens) : mean_tokens;
    traffic.requests.push_back({.arrival = Nanoseconds{static_cast<std::int64_t>(now)},
                                .prompt_tokens = static_cast<std::int32_t>(tokens),
                                .output_tokens = 1});
  }
  return traffic;
}

double mean_wait_in_services(const Traffic& traffic, double mean_tokens) {
  TimePerToken timer;
  const ServingRun run = *simulate(one_at_a_time(), traffic, timer);
  double wait = 0;
  for (const RequestRecord& r : run.requests) wait += static_cast<double>((r.admitted - r.arrival).count());
  return wait / static_cast<double>(run.requests.size()) / (mean_tokens * 100);
}

TEST(Queueing, EqualServicesWaitAsMD1Says) {
  for (const double load : {0.3, 0.6, 0.8}) {
    const double theory = load / (2 * (1 - load));
    EXPECT_NEAR(mean_wait_in_services(poisson(load, 1000, false), 1000) / theory, 1, 0.03) << load;
  }
}

TEST(Queueing, ExponentialServicesWaitAsMM1Says) {
  for (const double load : {0.3, 0.6, 0.8}) {
    const double theory = load / (1 - load);
    EXPECT_NEAR(mean_wait_in_services(poisson(load, 1000, true), 1000) / theory, 1, 0.03) << load;
  }
}

}  // namespace
}  // namespace inferometer
