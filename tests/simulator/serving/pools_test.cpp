#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "tests/simulator/serving/workloads.hpp"

namespace inferometer {
namespace {

using namespace serving_test;

PoolSettings pool(PoolRole role, std::int64_t replicas, std::int64_t blocks = 200) {
  PoolSettings p{.instance = server(BatchingPolicy::vllm_v1, blocks).instance,
                 .replicas = replicas,
                 .link = BytesPerSecond{1e9}};
  p.instance.role = role;
  return p;
}

PooledServer disaggregated(std::int64_t prefill, std::int64_t decode, std::int64_t blocks = 200) {
  return {.pools = {pool(PoolRole::prefill, prefill, blocks), pool(PoolRole::decode, decode, blocks)},
          .transfer = {.block = Bytes{1000}, .layers = 4}};
}

ServingRun run_of(const PooledServer& server, const Traffic& traffic, std::int64_t per_token = 100,
                  std::int64_t per_key = 1) {
  LinearTimer timer(per_token, per_key);
  const std::vector<BatchTimer*> timers(server.pools.size(), &timer);
  const Result<ServingRun> run = simulate(server, traffic, timers);
  EXPECT_TRUE(run);
  return *run;
}

Nanoseconds ns(std::int64_t n) { return Nanoseconds{n}; }

/// A prompt of 100 tokens computed alone by LinearTimer: 1000 + 100 * 100 + 100 keys.
constexpr std::int64_t prompt_step = 11'100;
/// Its second token: 1000 + 100 + 101 keys.
constexpr std::int64_t decode_step = 1'201;
/// 100 tokens are 7 blocks of 1000 B at 1 GB/s.
constexpr std::int64_t transfer = 7'000;

Traffic lone(std::int32_t prompt, std::int32_t output) {
  Traffic traffic;
  traffic.requests = {{.prompt_tokens = prompt, .output_tokens = output}};
  return traffic;
}

TEST(Disaggregation, ALoneRequestWaitsForItsCacheBetweenItsFirstTwoTokens) {
  PooledServer s = disaggregated(1, 1);
  s.transfer.latency = Seconds{5e-6};
  const ServingRun run = run_of(s, lone(100, 2));
  EXPECT_EQ(run.requests[0].first_token, ns(prompt_step));
  EXPECT_EQ(run.requests[0].last_token, ns(prompt_step + transfer + 5'000 + decode_step));
  EXPECT_EQ(run.transfers.bytes, Bytes{7'000});
  EXPECT_EQ(run.transfers.delay.count(), 1);
  EXPECT_NEAR(run.transfers.delay.mean().count(), 12e-6, 1e-15);
  EXPECT_NEAR(run.itl.mean().count(), 1e-9 * (transfer + 5'000 + decode_step), 1e-15);
}

TEST(Disaggregation, LayersThatLeaveWhileOthersAreComputedLeaveTheLastOnesTransferVisible) {
  PooledServer s = disaggregated(1, 1);
  s.transfer.overlap = KvOverlap::layers;
  // The step takes longer than the transfer: what is left after it is one of four layers.
  ServingRun run = run_of(s, lone(100, 2));
  EXPECT_EQ(run.requests[0].last_token, ns(prompt_step + transfer / 4 + decode_step));
  // A link of a fifth: the transfer takes longer, and begins when the first of four layers is computed.
  for (PoolSettings& p : s.pools) p.link = BytesPerSecond{2e8};
  run = run_of(s, lone(100, 2));
  EXPECT_EQ(run.requests[0].last_token, ns(5 * transfer + prompt_step / 4 + decode_step));
}

TEST(Disaggregation, OnlyTheLastChunkLeavesLayerByLayer) {
  PooledServer s = disaggregated(1, 1);
  s.transfer.overlap = KvOverlap::layers;
  s.pools[0].instance.serving.max_num_batched_tokens = 64;
  const ServingRun run = run_of(s, lone(100, 2));
  // Chunks of 64 and 36 tokens. The first four blocks leave when the second chunk begins, its three with it.
  const std::int64_t first = 1000 + 6400 + 64, second = 1000 + 3600 + 100;
  EXPECT_EQ(run.requests[0].first_token, ns(first + second));
  EXPECT_EQ(run.requests[0].last_token, ns(first + 7'000 + decode_step));
}

TEST(Disaggregation, ARequestOfOneTokenEndsWhereItBegan) {
  const ServingRun run = run_of(disaggregated(1, 1), lone(100, 1));
  EXPECT_EQ(run.requests[0].last_token, ns(prompt_step));
  EXPECT_EQ(run.transfers.bytes, Bytes{0});
  EXPECT_EQ(run.pools[1].steps, 0);
}

TEST(Disaggregation, LinksServeOneTransferAfterAnother) {
  Traffic traffic = lone(100, 2);
  traffic.requests.push_back(traffic.requests.front());
  // Two senders end at once; what enters the one receiver queues.
  const ServingRun two_to_one = run_of(disaggregated(2, 1), traffic);
  EXPECT_EQ(two_to_one.requests[0].last_token, ns(prompt_step + transfer + decode_step));
  EXPECT_EQ(two_to_one.requests[1].last_token, ns(prompt_step + 2 * transfer + decode_step));
  EXPECT_NEAR(two_to_one.transfers.time.mean().count(), 1.5e-9 * transfer, 1e-15);
  // One sender computes both in a step of 200 tokens; what leaves it queues.
  PooledServer s = disaggregated(1, 2);
  s.pools[0].instance.serving.max_num_batched_tokens = 256;
  const ServingRun one_to_two = run_of(s, traffic);
  const std::int64_t both = 1000 + 20'000 + 200;
  EXPECT_EQ(one_to_two.requests[0].last_token, ns(both + transfer + decode_step));
  EXPECT_EQ(one_to_two.requests[1].last_token, ns(both + 2 * transfer + decode_step));
  // Two pairs share nothing.
  const ServingRun two_to_two = run_of(disaggregated(2, 2), traffic);
  EXPECT_EQ(two_to_two.requests[1].last_token, ns(prompt_step + transfer + decode_step));
}

TEST(Disaggregation, ATransferWhoseLinksAreBusyDoesNotKeepOthersFromTheirs) {
  Traffic traffic = lone(100, 2);
  traffic.requests.assign(4, traffic.requests.front());
  traffic.requests[3].prompt_tokens = 101;
  PooledServer s = disaggregated(2, 2);
  s.pools[0].instance.serving.max_num_batched_tokens = 256;
  const ServingRun run = run_of(s, traffic);
  // Requests 0 and 2 are computed by one instance, 1 and 3 by the other a little later. The even ones' turn
  // at the receivers: 0 at the first, 2 at the second; 1 and 3 likewise. When 3 is computed, 1 waits for 0 at
  // its receiver and 2 for 0 at its sender.
  const std::int64_t even = 1000 + 20'000 + 200, odd = 1000 + 20'100 + 201;
  EXPECT_EQ(run.requests[0].last_token, ns(even + transfer + decode_step));
  EXPECT_EQ(run.requests[3].last_token, ns(odd + transfer + decode_step + 1));
  EXPECT_EQ(run.requests[1].last_token, ns(odd + 2 * transfer + decode_step));
  EXPECT_EQ(run.requests[2].last_token, ns(odd + 2 * transfer + decode_step));
}

TEST(Disaggregation, ACacheWaitsAtItsSenderUntilTheReceiverHasRoom) {
  Traffic traffic = lone(100, 28);
  traffic.requests.assign(3, traffic.requests.front());
  PooledServer s = disaggregated(1, 1);
  s.pools[0].instance.kv_blocks = 7;  // one prompt
  s.pools[1].instance.kv_blocks = 8;  // one prompt and what follows it
  const ServingRun run = run_of(s, traffic);
  EXPECT_EQ(run.preemptions, 0);
  const Nanoseconds room = run.requests[0].last_token;
  EXPECT_GT(room, run.requests[1].first_token + ns(transfer));
  std::int64_t decodes = 0;
  for (std::int64_t keys = 101; keys < 128; ++keys) decodes += 1100 + keys;
  EXPECT_EQ(run.requests[1].last_token, room + ns(transfer + decodes));
  // The sender has room for the next prompt when the cache has left it.
  EXPECT_EQ(run.requests[2].admitted, room + ns(transfer));
}

/// One prompt of four blocks with identities, asked for again and again, each when the one before has ended.
Traffic repeated(std::int32_t requests, std::int64_t block_tokens, std::int32_t prompt, std::int32_t output) {
  Traffic traffic;
  traffic.block_tokens = block_tokens;
  for (std::uint64_t b = 0; b < 4; ++b) traffic.blocks.push_back(b);
  for (std::int32_t i = 0; i < requests; ++i)
    traffic.requests.push_back({.arrival = ns(i * 10'000'000),
                                .prompt_tokens = prompt,
                                .output_tokens = output,
                                .first_block = 0,
                                .blocks = 4});
  return traffic;
}

TEST(Disaggregation, PromptBlocksThatTheReceiverHasAreNotSentAgain) {
  const Traffic traffic = repeated(3, 32, 140, 3);
  PooledServer s = disaggregated(1, 1);
  for (PoolSettings& p : s.pools) p.instance.serving.prefix_caching = true;
  const ServingRun run = run_of(s, traffic);
  // 140 tokens are 9 blocks of 16, of which 4 identities hold 8.
  EXPECT_EQ(run.transfers.bytes, Bytes{(9 + 1 + 1) * 1000});
  EXPECT_EQ(run.transfers.tokens_there, 2 * 128);
  EXPECT_EQ(run.prefix_hit_tokens, 2 * 128);
}

TEST(Disaggregation, ACacheThatTheReceiverHasIsNotWaitedFor) {
  // Whole blocks, known from the first request on; the second computes its last token anew.
  const Traffic traffic = repeated(2, 16, 64, 2);
  for (const KvOverlap overlap : {KvOverlap::none, KvOverlap::layers}) {
    PooledServer s = disaggregated(1, 1);
    s.transfer.overlap = overlap;
    s.transfer.latency = Seconds{1e-3};
    for (PoolSettings& p : s.pools) p.instance.serving.prefix_caching = true;
    const ServingRun run = run_of(s, traffic);
    EXPECT_EQ(run.transfers.time.count(), 1);
    EXPECT_EQ(run.transfers.delay.count(), 2);
    EXPECT_EQ(run.transfers.bytes, Bytes{4'000});
    EXPECT_EQ(run.transfers.tokens_there, 64);
    const RequestRecord& second = run.requests[1];
    EXPECT_EQ(second.last_token - second.first_token, ns(1000 + 100 + 65));
  }
}

TEST(Disaggregation, APromptThatFillsItsSendersCacheIsServed) {
  PooledServer s = disaggregated(1, 1);
  s.pools[0].instance.kv_blocks = 7;
  EXPECT_TRUE(run_of(s, lone(112, 2)).requests[0].completed());
  EXPECT_TRUE(run_of(s, lone(113, 2)).requests[0].rejected);
  s.pools[0].instance.serving.max_model_len = 112;  // the prompt's first token counts there
  EXPECT_TRUE(run_of(s, lone(112, 2)).requests[0].rejected);
}

TEST(Disaggregation, EveryRequestEndsOnceAndTokensAreConserved) {
  std::mt19937_64 random(5);
  std::int64_t preempted = 0, sent = 0;
  for (int trial = 0; trial < 120; ++trial) {
    const auto upto = [&](std::int64_t n) {
      return static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(n));
    };
    PooledServer s = disaggregated(1 + upto(3), 1 + upto(3), 25 + upto(60));
    if (upto(3) == 0) s.pools.push_back(pool(PoolRole::both, 1 + upto(2), 30 + upto(60)));
    if (upto(3) == 0) s.pools.push_back(pool(PoolRole::decode, 1 + upto(2), 26 + upto(30)));
    s.router = Names<ReplicaRouter>::list[static_cast<std::size_t>(upto(4))].first;
    s.transfer.overlap = upto(2) == 0 ? KvOverlap::none : KvOverlap::layers;
    s.transfer.latency = Seconds{1e-7 * static_cast<double>(upto(50))};
    for (PoolSettings& p : s.pools) {
      if (upto(3) == 0) p.ranks = 2;  // replicas of attention that share experts
      p.link = BytesPerSecond{upto(4) == 0 ? 1e18 : 1e8 * static_cast<double>(1 + upto(50))};
      Serving& serving = p.instance.serving;
      serving.policy = Names<BatchingPolicy>::list[static_cast<std::size_t>(upto(6))].first;
      serving.prefix_caching = upto(2) == 0;
      serving.preemption = upto(2) == 0 ? Preemption::swap : Preemption::recompute;
      serving.watermark_percent = upto(3);
      serving.max_num_seqs = 2 + upto(22);
    }
    Traffic traffic = random_traffic(random(), 200, 1'000 << upto(9));
    if (upto(4) == 0) traffic.concurrency = 1 + upto(30);
    const ServingRun run = run_of(s, traffic), again = run_of(s, traffic);
    std::int64_t outputs = 0, prompts = 0, goes_on = 0;
    for (std::size_t i = 0; i < traffic.requests.size(); ++i) {
      const RequestRecord& r = run.requests[i];
      ASSERT_TRUE(same(r, again.requests[i]));
      ASSERT_EQ(r.completed(), !r.rejected) << trial;
      if (r.rejected) continue;
      outputs += traffic.requests[i].output_tokens;
      prompts += traffic.requests[i].prompt_tokens;
      goes_on += traffic.requests[i].output_tokens > 1 ? 1 : 0;
      EXPECT_LE(r.arrival, r.admitted);
      EXPECT_LT(r.admitted, r.first_token);
      EXPECT_LE(r.first_token, r.last_token);
    }
    EXPECT_EQ(run.output_tokens, outputs) << trial;
    EXPECT_GE(run.prompt_tokens + run.prefix_hit_tokens, prompts);
    if (run.preemptions == 0) {
      EXPECT_EQ(run.prompt_tokens + run.prefix_hit_tokens, prompts);
    }
    EXPECT_EQ(run.itl.count(), outputs - static_cast<std::int64_t>(std::count_if(
                                             run.requests.begin(), run.requests.end(),
                                             [](const RequestRecord& r) { return r.completed(); })));
    EXPECT_LE(run.transfers.time.count(), goes_on);
    std::int64_t steps = 0;
    for (const PoolRun& p : run.pools) {
      EXPECT_LE(p.kv_peak, p.kv_blocks);
      steps += p.steps;
    }
    EXPECT_EQ(run.steps, steps);
    preempted += run.preemptions;
    sent += run.transfers.time.count();
  }
  EXPECT_GT(preempted, 100);
  EXPECT_GT(sent, 10'000);
}

TEST(Disaggregation, ReplicasOfAttentionSendAndReceiveByThemselves) {
  Traffic traffic = lone(100, 2);
  traffic.requests.push_back(traffic.requests.front());
  PooledServer s = disaggregated(1, 1);
  for (PoolSettings& p : s.pools) p.ranks = 2;
  const ServingRun run = run_of(s, traffic);
  // Each replica computes one prompt, and its cache has links of its own to a decode replica of its own.
  for (const RequestRecord& r : run.requests) {
    EXPECT_EQ(r.first_token, ns(prompt_step));
    EXPECT_EQ(r.last_token, ns(prompt_step + transfer + decode_step));
  }
  ASSERT_EQ(run.transfers.sent.spans().size(), 2U);
  EXPECT_NE(run.transfers.sent.spans()[0].to, run.transfers.sent.spans()[1].to);
  EXPECT_EQ(run.transfers.sent.spans()[0].there - run.transfers.sent.spans()[0].start, ns(transfer));
}

TEST(Disaggregation, ARequestThatNoDecodeInstanceCanHoldIsRejectedWhenItArrives) {
  PooledServer s = disaggregated(1, 1);
  s.pools[1].instance.kv_blocks = 7;
  EXPECT_FALSE(run_of(s, lone(100, 13)).requests[0].rejected);  // the last of 113 tokens is not cached
  const ServingRun run = run_of(s, lone(100, 14));              // 113 that are cached are 8 blocks
  EXPECT_TRUE(run.requests[0].rejected);
  EXPECT_EQ(run.steps, 0);
  // A pool that can takes it.
  s.pools.push_back(pool(PoolRole::decode, 1));
  EXPECT_EQ(run_of(s, lone(100, 14)).pools[2].output_tokens, 13);
}

TEST(Disaggregation, DecodesBesidePromptsAreSlowerThanByThemselves) {
  for (const std::int64_t gap : {8'000, 15'000, 40'000}) {
    const Traffic traffic = random_traffic(9, 400, gap);
    PooledServer apart = disaggregated(1, 1, 2'000);
    for (PoolSettings& p : apart.pools) p.link = BytesPerSecond{1e18};
    const PooledServer mixed{.pools = {pool(PoolRole::both, 1, 2'000)}};
    const auto time_per_token = [&](const ServingRun& run) {
      Seconds sum{0};
      for (std::size_t i = 0; i < run.requests.size(); ++i) {
        if (traffic.requests[i].output_tokens > 1)
          sum += std::chrono::duration<double>(run.requests[i].last_token - run.requests[i].first_token) /
                 (traffic.requests[i].output_tokens - 1);
      }
      return sum.count();
    };
    EXPECT_LE(time_per_token(run_of(apart, traffic)), time_per_token(run_of(mixed, traffic))) << gap;
  }
}

TEST(Pools, OneOfRoleBothIsAServerOfReplicas) {
  const Traffic traffic = random_traffic(3, 500, 5'000);
  for (const auto& [router, text] : Names<ReplicaRouter>::list) {
    ServerSettings s = server(BatchingPolicy::vllm_v1);
    s.replicas = 4;
    s.router = router;
    s.instance.serving.prefix_caching = true;
    LinearTimer timer;
    const ServingRun a = *simulate(s, traffic, timer);
    PooledServer one{.pools = {pool(PoolRole::both, 4)}, .router = router};
    one.pools[0].instance.serving.prefix_caching = true;
    // Two equal pools are one as well: what a router weighs by is the same.
    PooledServer two{.pools = {pool(PoolRole::both, 1), pool(PoolRole::both, 3)}, .router = router};
    for (PoolSettings& p : two.pools) p.instance.serving.prefix_caching = true;
    const ServingRun b = run_of(one, traffic), c = run_of(two, traffic);
    for (std::size_t i = 0; i < a.requests.size(); ++i) {
      EXPECT_TRUE(same(a.requests[i], b.requests[i])) << text;
      EXPECT_TRUE(same(a.requests[i], c.requests[i])) << text;
    }
    EXPECT_TRUE(b.pools.empty());
    EXPECT_EQ(a.steps, c.steps);
    EXPECT_EQ(a.busy, c.busy);
    EXPECT_EQ(a.itl.mean(), c.itl.mean());
    EXPECT_EQ(c.pools[0].steps + c.pools[1].steps, c.steps);
  }
}

TEST(Pools, LeastLoadedGivesAFasterPoolMoreInProportion) {
  PooledServer s{.pools = {pool(PoolRole::both, 1, 2'000), pool(PoolRole::both, 1, 2'000)},
                 .router = ReplicaRouter::least_loaded};
  s.pools[0].per_token = 3;
  const Traffic traffic = random_traffic(4, 600, 4'000);
  LinearTimer fast(100, 1), slow(300, 3);
  const std::array<BatchTimer*, 2> timers{&slow, &fast};
  const ServingRun run = *simulate(s, traffic, timers);
  const double ratio =
      static_cast<double>(run.pools[1].output_tokens) / static_cast<double>(run.pools[0].output_tokens);
  EXPECT_GT(ratio, 1.8);
  EXPECT_LT(ratio, 4);
  // A lone request goes to the fast one.
  EXPECT_EQ((*simulate(s, lone(50, 2), timers)).pools[1].steps, 2);
}

TEST(Pools, PipelinesAndReplicasOfAttentionServeBesideInstances) {
  const Traffic traffic = random_traffic(3, 200, 8'000);
  for (const ReplicaRouter router : {ReplicaRouter::round_robin, ReplicaRouter::least_loaded}) {
    PooledServer s{.pools = {pool(PoolRole::both, 2), pool(PoolRole::both, 1)}, .router = router};
    s.pools[1].ranks = 2;
    const ServingRun run = run_of(s, traffic);
    expect_conserved(run, traffic, "replicas of attention");
    EXPECT_EQ(run.instances, 4);
    EXPECT_GT(run.pools[1].output_tokens, 0);
    EXPECT_GT(run.pools[1].parts_time, Nanoseconds{0});
    EXPECT_EQ(run.parts_time, run.pools[1].parts_time);
  }
}

}  // namespace
}  // namespace inferometer
