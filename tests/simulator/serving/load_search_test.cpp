#include "simulator/serving/load_search.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "tests/simulator/serving/workloads.hpp"

namespace inferometer {
namespace {

using namespace serving_test;
using Kind = LoadEdge::Kind;

/// One place, and 100 us for each request of one prompt and one output token.
struct HundredMicroseconds final : BatchTimer {
  Result<Nanoseconds> time(const Batch&) override { return Nanoseconds{100'000}; }
};

Traffic arriving_at(const std::vector<double>& microseconds) {
  Traffic traffic;
  for (const double t : microseconds)
    traffic.requests.push_back({.arrival = Nanoseconds{std::llround(t * 1000)}});
  return traffic;
}

LoadProbe queue(const Traffic& traffic, Seconds ttft) {
  return [&traffic, ttft](double load) -> Result<ServingMetrics> {
    ServerSettings one = server(BatchingPolicy::vllm_v1);
    one.instance.serving.max_num_seqs = 1;
    Traffic faster = traffic;
    for (Request& r : faster.requests)
      r.arrival = Nanoseconds{static_cast<std::int64_t>(static_cast<double>(r.arrival.count()) / load)};
    HundredMicroseconds timer;
    const Result<ServingRun> run = simulate(one, faster, timer);
    if (!run) return failure(run.error());
    return metrics_of(*run, faster, {.ttft = ttft});
  };
}

/// A server that is what a rule says it is.
LoadProbe meets(const std::function<bool(double)>& rule) {
  return [rule](double load) -> Result<ServingMetrics> {
    return ServingMetrics{.slo_attainment = rule(load) ? 1 : 0};
  };
}

TEST(LoadSearch, EqualDistancesAndServicesMeetWhereTheQueueGrowsTooLong) {
  // Requests every g us wait 100 - g us longer each. 900 of 1000 wait up to 1000 us where 899 (100 - g) is
  // at most that: g = 98.888, 200 / g = 2.0225 times the load.
  std::vector<double> arrivals;
  for (int i = 0; i < 1000; ++i) arrivals.push_back(200.0 * i);
  const Traffic traffic = arriving_at(arrivals);
  for (const double tolerance : {0.05, 0.01, 0.001}) {
    const LoadEdge edge = *search_load(queue(traffic, Seconds{1100e-6}), {.tolerance = tolerance});
    EXPECT_EQ(edge.kind, Kind::edge);
    EXPECT_LE(edge.load, 2.0225);
    EXPECT_GT(edge.beyond, 2.0224);
    EXPECT_LE(edge.beyond, edge.load * (1 + tolerance));
    EXPECT_EQ(edge.out_of_order, 0);
    EXPECT_GE(*edge.met.slo_attainment, 0.9);
    EXPECT_GT(edge.missed.missed.ttft, 0.1);
    EXPECT_EQ(edge.missed.missed.tpot, 0);
  }
}

TEST(LoadSearch, RandomArrivalsMeetWhereTheWaitOfMD1Does) {
  // Part that waits at most two services at utilisation r: (1 - r) (e^2r - r e^r), Erlang 1909.
  std::mt19937_64 random(7);
  std::exponential_distribution<double> gap(1.0 / 200);
  std::vector<double> arrivals{0};
  while (arrivals.size() < 100'000) arrivals.push_back(arrivals.back() + gap(random));
  const Traffic traffic = arriving_at(arrivals);
  for (const double attainment : {0.8, 0.9, 0.95}) {
    const LoadEdge edge = *search_load(queue(traffic, Seconds{300e-6}), {.attainment = attainment});
    const double r = 0.5 * edge.load;
    EXPECT_NEAR((1 - r) * (std::exp(2 * r) - r * std::exp(r)), attainment, 0.012);
  }
}

TEST(LoadSearch, AnEdgeBelowTheFirstLoadIsFoundByHalving) {
  const LoadEdge edge = *search_load(meets([](double load) { return load < 0.03; }), {});
  EXPECT_EQ(edge.kind, Kind::edge);
  EXPECT_LT(edge.load, 0.03);
  EXPECT_GE(edge.beyond, 0.03);
  EXPECT_LE(edge.beyond, 1.01 * edge.load);
}

TEST(LoadSearch, SaysWhereThereIsNoEdge) {
  const Traffic few = arriving_at({0, 100'000, 200'000});
  EXPECT_EQ(search_load(queue(few, Seconds{1}), {})->kind, Kind::always_met);
  const LoadEdge never = *search_load(queue(few, Seconds{1e-6}), {});
  EXPECT_EQ(never.kind, Kind::never_met);
  EXPECT_EQ(never.load, 0);
  EXPECT_EQ(never.missed.missed.ttft, 1);
  EXPECT_EQ(never.runs, 2);
}

TEST(LoadSearch, TellsThatOrderDoesNotHoldNearAnEdge) {
  const auto islands = [](double load) { return load < 3 || (load > 3.05 && load < 3.3); };
  const LoadEdge edge = *search_load(meets(islands), {});
  EXPECT_EQ(edge.kind, Kind::edge);
  EXPECT_GT(edge.out_of_order, 0);
}

TEST(LoadSearch, PassesOnWhyAProbeFailed) {
  const LoadProbe broken = [](double load) -> Result<ServingMetrics> {
    return failure("no server at " + std::to_string(load));
  };
  const auto edge = search_load(broken, {});
  ASSERT_FALSE(edge);
  EXPECT_EQ(edge.error().front().message, "no server at 1.000000");
}

}  // namespace
}  // namespace inferometer
