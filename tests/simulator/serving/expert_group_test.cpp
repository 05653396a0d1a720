#include "simulator/serving/expert_group.hpp"

#include <gtest/gtest.h>

#include "simulator/serving/metrics.hpp"
#include "tests/simulator/serving/workloads.hpp"

namespace inferometer {
namespace {

using namespace serving_test;

/// Attention takes 1 ns for each token of the replica's own, experts 2 ns for each one of all.
struct SharedTimer final : BatchTimer {
  std::int64_t calls = 0;
  Result<Nanoseconds> time(const Batch& batch) override {
    ++calls;
    EXPECT_GE(batch.totals.group_tokens, batch.totals.tokens());
    return Nanoseconds{batch.totals.tokens() + 2 * batch.totals.group_tokens};
  }
};

ServerSettings ranks(std::int64_t count) {
  ServerSettings s = server(BatchingPolicy::vllm_v1, 100'000);
  s.ranks = count;
  return s;
}

TEST(ExpertGroup, EveryRequestEndsOnceAndTokensAreConserved) {
  int whole = 0;  // runs with spans of all of their time
  for (ServerSettings s : all_settings()) {
    for (const std::int64_t count : {2, 4}) {
      for (const std::int64_t gap : {2'000, 40'000, 400'000}) {
        s.ranks = count;
        s.replicas = 2;
        const Traffic traffic = random_traffic(7, 300, gap);
        LinearTimer timer;
        const Result<ServingRun> run = simulate(s, traffic, timer);
        ASSERT_TRUE(run);
        expect_conserved(*run, traffic, named(s) + ", ranks " + std::to_string(count));
        EXPECT_EQ(run->steps, timer.calls);
        EXPECT_LE(run->parts_busy, run->parts_time);
        if (run->spans.full()) continue;
        ++whole;
        EXPECT_EQ(covered(*run, ServedSpan::Kind::step), run->parts_busy) << named(s);
        EXPECT_EQ(covered(*run, ServedSpan::Kind::swap), run->swaps.time) << named(s);
        EXPECT_EQ(covered(*run, ServedSpan::Kind::bubble),
                  run->parts_time - run->parts_busy - run->swaps.time)
            << named(s);
      }
    }
  }
  EXPECT_GT(whole, 20);
}

TEST(ExpertGroup, OfOneReplicaDoesWhatAnInstanceDoes) {
  const Traffic traffic = random_traffic(11, 100, 20'000);
  for (const ServerSettings& s : all_settings()) {
    ServingRun run;
    run.requests.resize(traffic.requests.size());
    ExpertGroup one(s.instance, 1, traffic, run.requests, run);
    Traffic together = traffic;
    for (Request& r : together.requests) r.arrival = Nanoseconds{0};
    LinearTimer timer;
    std::vector<std::int32_t> ended;
    for (std::size_t r = 0; r < traffic.requests.size(); ++r)
      one.enqueue(static_cast<std::int32_t>(r), Nanoseconds{0});
    std::optional<Nanoseconds> end = *one.begin(Nanoseconds{0}, timer);
    while (end) {
      const Nanoseconds now = *end;
      one.finish(now, timer, ended);
      end = *one.begin(now, timer);
    }
    const ServingRun alone = *simulate(s, together, timer);
    for (std::size_t i = 0; i < traffic.requests.size(); ++i)
      ASSERT_TRUE(same(alone.requests[i], run.requests[i])) << named(s) << ", request " << i;
  }
}

TEST(ExpertGroup, WaitsForTheSlowestReplicaAndComputesTheTokensOfAll) {
  Traffic traffic;
  traffic.requests = {{.prompt_tokens = 100, .output_tokens = 2}, {.prompt_tokens = 40, .output_tokens = 1}};
  SharedTimer timer;
  const ServingRun run = *simulate(ranks(4), traffic, timer);
  EXPECT_EQ(run.requests[0].first_token, Nanoseconds{100 + 2 * 140});
  EXPECT_EQ(run.requests[1].first_token, run.requests[0].first_token);
  EXPECT_EQ(run.requests[0].last_token, Nanoseconds{100 + 2 * 140 + 1 + 2 * 1});
  // Four replicas for 383 ns; one works all the time, one 40 + 280 ns.
  EXPECT_NEAR(*metrics_of(run, traffic, {}).bubbles, 1 - (383.0 + 320.0) / (4 * 383.0), 1e-12);
}

TEST(ExpertGroup, RequestsGoWhereFewWaitAndRun) {
  Traffic traffic;
  for (std::int32_t i = 0; i < 8; ++i) traffic.requests.push_back({.prompt_tokens = 10, .output_tokens = 3});
  SharedTimer timer;
  const ServingRun run = *simulate(ranks(4), traffic, timer);
  for (const RequestRecord& r : run.requests) EXPECT_EQ(r.first_token, Nanoseconds{20 + 2 * 80});
}

}  // namespace
}  // namespace inferometer
