#include "simulator/serving/simulate.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>

#include "simulator/serving/metrics.hpp"
#include "tests/simulator/serving/workloads.hpp"

namespace inferometer {
namespace {

using namespace serving_test;

TEST(Serving, EveryRequestEndsOnceAndTokensAreConserved) {
  for (ServerSettings s : all_settings()) {
    for (const std::int64_t gap : {2'000, 40'000, 400'000}) {
      const Traffic traffic = random_traffic(7, 300, gap);
      LinearTimer timer;
      const Result<ServingRun> run = simulate(s, traffic, timer);
      ASSERT_TRUE(run);
      expect_conserved(*run, traffic, named(s));
      EXPECT_EQ(run->steps, timer.calls);
    }
  }
}

/// One instance by itself, one step at a time, that never jumps.
ServingRun step_by_step(const ServerSettings& s, const Traffic& traffic, BatchTimer& timer) {
  ServingRun run;
  run.requests.resize(traffic.requests.size());
  run.kv_blocks = s.instance.kv_blocks;
  Instance instance(s.instance, traffic, run.requests, run);
  std::vector<std::int32_t> ended;
  std::size_t next = 0;
  Nanoseconds now{0};
  while (true) {
    while (next < traffic.requests.size() && traffic.requests[next].arrival <= now) {
      instance.enqueue(static_cast<std::int32_t>(next), traffic.requests[next].arrival);
      ++next;
    }
    const std::optional<Nanoseconds> end = *instance.begin(now, timer);
    if (!end) {
      EXPECT_EQ(instance.pool().used(), 0);
      if (next == traffic.requests.size()) return run;
      now = traffic.requests[next].arrival;
      continue;
    }
    // What arrives while the step runs is there when it ends.
    while (next < traffic.requests.size() && traffic.requests[next].arrival <= *end) {
      instance.enqueue(static_cast<std::int32_t>(next), traffic.requests[next].arrival);
      ++next;
    }
    EXPECT_GE(*end, now);
    now = *end;
    instance.finish(now, timer, ended);
    EXPECT_LE(instance.pool().used(), instance.pool().blocks());
  }
}

TEST(Serving, JumpsOverUnchangedStepsGiveWhatSteppingDoes) {
  std::int64_t jumped = 0;
  for (const ServerSettings& s : all_settings()) {
    for (const std::int64_t gap : {3'000, 100'000, 500'000}) {
      const Traffic traffic = random_traffic(11, 200, gap);
      LinearTimer a, b;
      const ServingRun stepped = step_by_step(s, traffic, a);
      const ServingRun run = *simulate(s, traffic, b);
      for (std::size_t i = 0; i < run.requests.size(); ++i)
        ASSERT_TRUE(same(run.requests[i], stepped.requests[i])) << named(s) << ", request " << i;
      EXPECT_EQ(run.steps, stepped.steps);
      EXPECT_EQ(run.itl.count(), stepped.itl.count());
      EXPECT_EQ(run.itl.mean(), stepped.itl.mean());
      EXPECT_EQ(run.busy, stepped.busy);
      jumped += run.jumped_steps;
    }
  }
  EXPECT_GT(jumped, 10'000);
}

/// vLLM's scheduler of version 1 written down plainly: every sequence looked at in every step, every block
/// counted by sequence. No prefix caching.
std::vector<RequestRecord> plain_vllm_v1(const ServerSettings& s, const Traffic& traffic,
                                         const LinearTimer& timer) {
  struct Seq {
    std::int32_t request;
    std::int64_t tokens, computed = 0, blocks = 0;  // tokens: prompt and what was made so far
  };
  const std::int64_t block = s.instance.block_tokens;
  std::vector<RequestRecord> records(traffic.requests.size());
  std::deque<Seq> waiting;
  std::vector<Seq> running;
  std::int64_t free = s.instance.kv_blocks;
  std::size_t next = 0;
  Nanoseconds now{0};
  const auto arrive = [&](Nanoseconds until) {
    for (; next < traffic.requests.size() && traffic.requests[next].arrival <= until; ++next) {
      const Request& r = traffic.requests[next];
      records[next].arrival = r.arrival;
      records[next].rejected =
          (r.prompt_tokens + r.output_tokens - 1 + block - 1) / block > s.instance.kv_blocks;
      if (!records[next].rejected) waiting.push_back({static_cast<std::int32_t>(next), r.prompt_tokens});
    }
  };
  while (true) {
    arrive(now);
    std::vector<std::int64_t> scheduled(running.size(), 0);
    std::int64_t budget = s.instance.serving.max_num_batched_tokens;
    bool preempted = false;
    for (std::size_t i = 0; i < running.size() && budget > 0; ++i) {
      const std::int64_t fresh = std::min(budget, running[i].tokens - running[i].computed);
      const std::int64_t blocks = (running[i].computed + fresh + block - 1) / block - running[i].blocks;
      bool fits = true;
      while (blocks > free) {
        Seq victim = running.back();
        running.pop_back();
        scheduled.pop_back();
        free += victim.blocks;
        victim.blocks = victim.computed = 0;
        ++records[static_cast<std::size_t>(victim.request)].preemptions;
        waiting.push_front(victim);
        preempted = true;
        if (running.size() == i) {
          fits = false;
          break;
        }
      }
      if (!fits) break;
      free -= blocks;
      running[i].blocks += blocks;
      scheduled[i] = fresh;
      budget -= fresh;
    }
    while (!preempted && budget > 0 && !waiting.empty() &&
           static_cast<std::int64_t>(running.size()) < s.instance.serving.max_num_seqs) {
      Seq q = waiting.front();
      if ((q.tokens + block - 1) / block > free) break;
      waiting.pop_front();
      const std::int64_t fresh = std::min(budget, q.tokens);
      q.blocks = (fresh + block - 1) / block;
      free -= q.blocks;
      budget -= fresh;
      RequestRecord& record = records[static_cast<std::size_t>(q.request)];
      if (record.admitted == RequestRecord::never) record.admitted = now;
      running.push_back(q);
      scheduled.push_back(fresh);
    }
    StepTotals totals;
    for (std::size_t i = 0; i < running.size(); ++i) {
      if (scheduled[i] > 0)
        (scheduled[i] == 1 ? totals.attended.single : totals.attended.prompts)
            .add({scheduled[i], running[i].computed});
    }
    if (totals.tokens() == 0) {
      if (preempted) continue;
      if (next == traffic.requests.size()) return records;
      now = traffic.requests[next].arrival;
      continue;
    }
    const Nanoseconds end = now + timer.of(totals);
    arrive(end);
    now = end;
    for (std::size_t i = 0; i < running.size();) {
      Seq& q = running[i];
      q.computed += scheduled[i];
      const Request& r = traffic.requests[static_cast<std::size_t>(q.request)];
      RequestRecord& record = records[static_cast<std::size_t>(q.request)];
      if (scheduled[i] > 0 && q.computed == q.tokens) {
        ++q.tokens;
        if (record.first_token == RequestRecord::never) record.first_token = now;
        if (q.tokens == r.prompt_tokens + r.output_tokens) {
          record.last_token = now;
          free += q.blocks;
          running.erase(running.begin() + static_cast<std::ptrdiff_t>(i));
          scheduled.erase(scheduled.begin() + static_cast<std::ptrdiff_t>(i));
          continue;
        }
      }
      ++i;
    }
  }
}

TEST(Serving, SchedulesAsVllmWrittenDownPlainlyDoes) {
  std::int64_t preemptions = 0;
  for (const std::int64_t blocks : {40, 60, 200, 2000}) {
    for (std::uint64_t seed = 1; seed <= 8; ++seed) {
      const ServerSettings s = server(BatchingPolicy::vllm_v1, blocks);
      const Traffic traffic = random_traffic(seed, 200, static_cast<std::int64_t>(seed) * 12'000);
      LinearTimer timer;
      const ServingRun run = *simulate(s, traffic, timer);
      const std::vector<RequestRecord> plain = plain_vllm_v1(s, traffic, timer);
      for (std::size_t i = 0; i < plain.size(); ++i)
        ASSERT_TRUE(same(run.requests[i], plain[i]))
            << blocks << " blocks, seed " << seed << ", request " << i;
      preemptions += run.preemptions;
    }
  }
  EXPECT_GT(preemptions, 100);
}

TEST(Serving, ReplicasShareTheTrafficAndGiveTheSameEveryTime) {
  const Traffic traffic = random_traffic(3, 500, 5'000);
  for (const auto& [router, text] : Names<ReplicaRouter>::list) {
    ServerSettings s = server(BatchingPolicy::vllm_v1);
    s.replicas = 4;
    s.router = router;
    s.instance.serving.prefix_caching = true;
    LinearTimer timer;
    const ServingRun a = *simulate(s, traffic, timer), b = *simulate(s, traffic, timer);
    for (std::size_t i = 0; i < a.requests.size(); ++i) {
      ASSERT_TRUE(a.requests[i].completed());
      EXPECT_TRUE(same(a.requests[i], b.requests[i])) << text;
    }
    ServerSettings alone = s;
    alone.replicas = 1;
    const ServingRun one = *simulate(alone, traffic, timer);
    EXPECT_LT(a.end, one.end) << text;
  }
}

TEST(Serving, ClosedLoopKeepsItsConcurrencyInTheSystem) {
  Traffic traffic = random_traffic(5, 100, 0);
  traffic.concurrency = 8;
  LinearTimer timer;
  const ServingRun run = *simulate(server(BatchingPolicy::vllm_v1, 2000), traffic, timer);
  std::vector<std::pair<Nanoseconds, int>> changes;
  for (const RequestRecord& r : run.requests) {
    ASSERT_TRUE(r.completed());
    changes.push_back({r.arrival, 1});
    changes.push_back({r.last_token, -1});
  }
  std::sort(changes.begin(), changes.end());  // at one instant ends before arrivals
  int inside = 0, most = 0;
  for (std::size_t i = 0; i < changes.size(); ++i) {
    inside += changes[i].second;
    most = std::max(most, inside);
    const bool settled = i + 1 == changes.size() || changes[i + 1].first > changes[i].first;
    if (settled && changes[i].first < run.requests.back().arrival) {
      EXPECT_EQ(inside, 8);
    }
  }
  EXPECT_EQ(most, 8);
}

TEST(Serving, TurnsOfASessionWaitForTheOneBefore) {
  Traffic traffic;
  traffic.requests = {
      {.arrival = Nanoseconds{0}, .prompt_tokens = 50, .output_tokens = 10},
      {.arrival = Nanoseconds{5'000'000}, .prompt_tokens = 80, .output_tokens = 10, .after = 0},
      {.arrival = Nanoseconds{0}, .prompt_tokens = 110, .output_tokens = 5, .after = 1}};
  LinearTimer timer;
  const ServingRun run = *simulate(server(BatchingPolicy::vllm_v1), traffic, timer);
  EXPECT_EQ(run.requests[1].arrival, run.requests[0].last_token + Nanoseconds{5'000'000});
  EXPECT_EQ(run.requests[2].arrival, run.requests[1].last_token);
  EXPECT_TRUE(run.requests[2].completed());
}

TEST(Serving, ASessionKeepsItsPlaceInAClosedLoopUntilItsLastTurn) {
  Traffic traffic;
  for (std::int32_t session = 0; session < 3; ++session) {
    traffic.requests.push_back({.prompt_tokens = 50, .output_tokens = 10});
    traffic.requests.push_back(
        {.arrival = Nanoseconds{5'000'000}, .prompt_tokens = 80, .output_tokens = 10, .after = 2 * session});
  }
  traffic.concurrency = 1;
  LinearTimer timer;
  const ServingRun run = *simulate(server(BatchingPolicy::vllm_v1), traffic, timer);
  for (std::size_t i = 1; i < 6; ++i)
    EXPECT_EQ(run.requests[i].arrival,
              run.requests[i - 1].last_token + Nanoseconds{i % 2 == 1 ? 5'000'000 : 0});
}

TEST(Serving, PrefixesThatAreCachedAreNotComputedAgain) {
  Traffic traffic;
  traffic.block_tokens = 32;
  for (std::uint64_t b = 0; b < 4; ++b) traffic.blocks.push_back(b);
  for (std::int32_t i = 0; i < 3; ++i)
    traffic.requests.push_back({.arrival = Nanoseconds{i * 10'000'000},
                                .prompt_tokens = 128,
                                .output_tokens = 3,
                                .first_block = 0,
                                .blocks = 4});
  ServerSettings s = server(BatchingPolicy::vllm_v1);
  s.instance.serving.prefix_caching = true;
  LinearTimer timer;
  const ServingRun run = *simulate(s, traffic, timer);
  // The last token of a prompt is always computed, and so is the block it lies in.
  EXPECT_EQ(run.prefix_hit_tokens, 2 * 96);
  EXPECT_EQ(run.prompt_tokens, 128 + 2 * 32);
}

TEST(Serving, WhatAPreemptedSequenceFindsAgainIsNoPrefixHit) {
  Traffic traffic = random_traffic(3, 300, 2'000);
  traffic.blocks.clear();
  for (Request& r : traffic.requests) {  // no two prompts share anything
    r.first_block = static_cast<decltype(r.first_block)>(traffic.blocks.size());
    for (std::int32_t b = 0; b < r.blocks; ++b) traffic.blocks.push_back(traffic.blocks.size());
  }
  ServerSettings s = server(BatchingPolicy::vllm_v1, 40);
  s.instance.serving.prefix_caching = true;
  LinearTimer timer;
  const ServingRun run = *simulate(s, traffic, timer);
  std::int64_t preemptions = 0;
  for (const RequestRecord& r : run.requests) preemptions += r.preemptions;
  EXPECT_GT(preemptions, 0);
  EXPECT_EQ(run.prefix_hit_tokens, 0);
}

TEST(Serving, BlocksOfPromptsThatAreNotCachedNeedNotFitTheCaches) {
  Traffic traffic = random_traffic(3, 5, 2'000);
  traffic.block_tokens = 8;
  ServerSettings s = server(BatchingPolicy::vllm_v1);
  LinearTimer timer;
  EXPECT_TRUE(simulate(s, traffic, timer));
  s.instance.serving.prefix_caching = true;
  const Result<ServingRun> refused = simulate(s, traffic, timer);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().front().message.find("traffic.block_tokens"), std::string::npos);
}

TEST(Serving, TheNextTurnOfASessionFindsWhatWasSaid) {
  Traffic traffic;
  traffic.block_tokens = 32;
  for (std::uint64_t b = 0; b < 8; ++b) traffic.blocks.push_back(b);
  traffic.requests = {
      {.arrival = Nanoseconds{0}, .prompt_tokens = 64, .output_tokens = 100, .first_block = 0, .blocks = 5},
      {.arrival = Nanoseconds{1000},
       .prompt_tokens = 200,
       .output_tokens = 20,
       .after = 0,
       .first_block = 0,
       .blocks = 5}};
  for (const bool caches : {false, true}) {
    ServerSettings s = server(BatchingPolicy::vllm_v1);
    s.instance.serving.prefix_caching = caches;
    LinearTimer timer;
    const ServingRun run = *simulate(s, traffic, timer);
    // Of 164 tokens that were said, the last is not in the cache.
    EXPECT_EQ(run.prefix_hit_tokens, caches ? 160 : 0);
    EXPECT_EQ(run.prompt_tokens, caches ? 64 + 40 : 264);
  }
}

TEST(Serving, PromptsThatAreTakenWholeFitTheBudgetOfTokens) {
  Traffic traffic;
  for (const std::int32_t tokens : {100, 128, 129})
    traffic.requests.push_back({.arrival = Nanoseconds{0}, .prompt_tokens = tokens, .output_tokens = 5});
  for (const auto& [policy, text] : Names<BatchingPolicy>::list) {
    LinearTimer timer;
    const ServingRun run = *simulate(server(policy), traffic, timer);
    const bool whole = policy == BatchingPolicy::static_batch || policy == BatchingPolicy::orca ||
                       policy == BatchingPolicy::vllm_v0;
    EXPECT_EQ(run.requests[2].rejected, whole) << text;
    EXPECT_FALSE(run.requests[0].rejected || run.requests[1].rejected) << text;
    // Two whole prompts do not fit one step.
    if (whole) {
      EXPECT_LT(run.requests[0].first_token, run.requests[1].first_token) << text;
    }
  }
}

TEST(Spans, CoverTheTimeThatInstancesRanSteps) {
  for (const ServerSettings& s : all_settings()) {
    const Traffic traffic = random_traffic(13, 200, 20'000);
    LinearTimer timer;
    const ServingRun run = *simulate(s, traffic, timer);
    ASSERT_FALSE(run.spans.full());
    const Nanoseconds swaps = covered(run, ServedSpan::Kind::swap);
    EXPECT_EQ(swaps, run.swaps.time);
    EXPECT_EQ(covered(run, ServedSpan::Kind::step) + swaps, run.busy) << named(s);
    std::int64_t steps = 0;
    for (const ServedSpan& span : run.spans.spans()) {
      if (span.kind == ServedSpan::Kind::step) steps += span.steps;
    }
    EXPECT_EQ(steps, run.steps) << named(s);
    EXPECT_EQ(run.swaps.out, run.swaps.in) << named(s);
  }
}

TEST(ClientDelay, IsInWhatAClientSeesAndInWhenItAsksAgain) {
  Traffic traffic;
  for (int i = 0; i < 3; ++i) traffic.requests.push_back({.prompt_tokens = 16, .output_tokens = 3});
  traffic.concurrency = 1;
  traffic.client_delay = Seconds{5e-6};
  LinearTimer timer;
  const ServingRun run = *simulate(server(BatchingPolicy::vllm_v1), traffic, timer);
  EXPECT_EQ(run.requests[1].arrival, run.requests[0].last_token + Nanoseconds{5'000});
  const Seconds limit = times_of(run.requests[0], traffic.requests[0]).ttft + Seconds{1e-6};
  const ServingMetrics m = metrics_of(run, traffic, {.ttft = limit});
  EXPECT_NEAR((m.client_ttft.mean - m.ttft.mean).count(), 5e-6, 1e-15);
  EXPECT_NEAR((m.client_e2el.p99 - m.e2el.p99).count(), 5e-6, 1e-15);
  // The engine keeps the limit, what clients see does not.
  EXPECT_EQ(*m.slo_attainment, 0);
  traffic.client_delay = Seconds{0};
  EXPECT_EQ(*metrics_of(run, traffic, {.ttft = limit}).slo_attainment, 1);
}

}  // namespace
}  // namespace inferometer
