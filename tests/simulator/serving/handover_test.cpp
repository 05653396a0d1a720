#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <optional>

#include "simulator/serving/handovers.hpp"
#include "tests/simulator/serving/workloads.hpp"

namespace inferometer {
namespace {

using namespace serving_test;

Nanoseconds ns(std::int64_t n) { return Nanoseconds{n}; }

TEST(KvLinks, ATransferTakesItsBytesOverTheSlowerLinkAndTheLatency) {
  KvLinks links({BytesPerSecond{2e9}, BytesPerSecond{1e9}, BytesPerSecond{1e9}}, Seconds{3e-9});
  const KvLinks::Times times = links.begin(0, 1, {.before = Bytes{100}, .start = ns(50)}, ns(50));
  EXPECT_EQ(times.free, ns(150));
  EXPECT_EQ(times.there, ns(153));
}

TEST(KvLinks, EachInstanceSendsOneAtATimeAndReceivesOneAtATime) {
  KvLinks links(std::vector<BytesPerSecond>(3, BytesPerSecond{1e9}), Seconds{0});
  links.begin(0, 1, {.before = Bytes{100}}, ns(0));
  EXPECT_FALSE(links.free(0, 2));
  EXPECT_FALSE(links.free(2, 1));
  EXPECT_TRUE(links.free(1, 0));  // the other way
  links.end(0, 1);
  EXPECT_TRUE(links.free(0, 2));
}

TEST(KvLinks, LayersLeaveWhenTheyAreComputed) {
  /// The end of a transfer whose layers leave one by one, each when it is computed and the one before has
  /// left.
  const auto by_layers = [](std::int64_t step, std::int64_t bytes, std::int64_t layers) {
    std::int64_t end = 0;
    for (std::int64_t l = 0; l < layers; ++l) end = std::max(end, (l + 1) * step / layers) + bytes / layers;
    return ns(end);
  };
  for (const std::int64_t step : {0, 40, 400, 4000}) {
    for (const std::int64_t bytes : {40, 400, 4000}) {
      for (const std::int64_t layers : {1, 4, 40}) {
        KvLinks links({BytesPerSecond{1e9}, BytesPerSecond{1e9}}, Seconds{0});
        const KvCargo cargo{.layered = Bytes{bytes}, .start = ns(0), .step = ns(step), .layers = layers};
        EXPECT_EQ(links.begin(0, 1, cargo, ns(0)).there, by_layers(step, bytes, layers))
            << step << " " << bytes << " " << layers;
      }
    }
  }
}

TEST(KvLinks, AreBusyUntilTheLayersHaveLeftThatFollowWhatWasThere) {
  // What was there takes 20, four layers of a step of 400 take 100, the first from 100 on.
  const auto times = [](Nanoseconds now) {
    KvLinks links({BytesPerSecond{1e9}, BytesPerSecond{1e9}}, Seconds{0});
    return links.begin(
        0, 1, {.before = Bytes{20}, .layered = Bytes{100}, .start = ns(0), .step = ns(400), .layers = 4},
        now);
  };
  EXPECT_EQ(times(ns(0)).free, ns(200));
  EXPECT_EQ(times(ns(0)).there, ns(425));
  EXPECT_EQ(times(ns(90)).free, ns(210));  // the first layer waits
  EXPECT_EQ(times(ns(500)).free, ns(620));
  EXPECT_EQ(times(ns(500)).there, ns(620));
}

TEST(KvLinks, WhatCameLateForItsLayersIsSentAtOnce) {
  KvLinks links({BytesPerSecond{1e9}, BytesPerSecond{1e9}}, Seconds{0});
  const KvCargo cargo{.layered = Bytes{100}, .start = ns(0), .step = ns(400), .layers = 4};
  EXPECT_EQ(links.begin(0, 1, cargo, ns(1000)).there, ns(1100));
}

/// A prefill and a decode pool, every instance asked after every event whether it has something to do: no
/// steps are jumped over, and nothing is left out that could not have changed.
ServingRun plainly(const PooledServer& server, const Traffic& traffic, LinearTimer& timer) {
  ServingRun run;
  run.requests.resize(traffic.requests.size());
  run.pools.resize(2);
  std::vector<std::unique_ptr<Instance>> instances;
  std::vector<Instance*> all;
  std::vector<BytesPerSecond> links;
  for (std::size_t p = 0; p < 2; ++p) {
    for (std::int64_t i = 0; i < server.pools[p].replicas; ++i) {
      instances.push_back(
          std::make_unique<Instance>(server.pools[p].instance, traffic, run.requests, run.pools[p]));
      all.push_back(instances.back().get());
      links.push_back(server.pools[p].link);
    }
  }
  const auto senders = static_cast<std::size_t>(server.pools[0].replicas);
  const PooledServer::Transfer& t = server.transfer;
  Handovers handovers(all, traffic, KvLinks(links, t.latency), t.block, server.pools[0].instance.block_tokens,
                      t.layers, run.transfers);
  EventQueue<std::size_t> steps;
  std::vector<std::int32_t> ended;
  std::size_t next = 0, asked = 0;
  const bool layers = t.overlap == KvOverlap::layers;
  const auto hand_over = [&](std::size_t i, Nanoseconds start, Nanoseconds end) {
    for (const Instance::Completing& c : instances[i]->completing())
      handovers.ask({.request = c.request,
                     .from = i,
                     .to = senders + asked++ % (instances.size() - senders),
                     .tokens = layers ? c.tokens : 0,
                     .start = start,
                     .step = end - start},
                    start);
  };
  while (true) {
    constexpr Nanoseconds never{std::numeric_limits<std::int64_t>::max()};
    const Nanoseconds arrival = next < traffic.requests.size() ? traffic.requests[next].arrival : never;
    const Nanoseconds step = steps.empty() ? never : steps.next_time();
    const Nanoseconds sent = handovers.under_way() ? handovers.next_time() : never;
    const Nanoseconds now = std::min({arrival, step, sent});
    if (now == never) return run;
    if (now == arrival) {
      instances[next % senders]->enqueue(static_cast<std::int32_t>(next), now);
      ++next;
    } else if (now == step) {
      const std::size_t i = steps.pop().payload;
      instances[i]->finish(now, timer, ended);
      if (i < senders && !layers) hand_over(i, now, now);
      if (i >= senders) handovers.look_for_room(i, now);
    } else {
      const std::optional<Handover> h = handovers.pop();
      if (!h) continue;
      instances[h->from]->release(h->request, timer);
      instances[h->to]->receive(h->sequence);
    }
    for (std::size_t i = 0; i < instances.size(); ++i) {
      if (instances[i]->stepping()) continue;
      const std::optional<Nanoseconds> end = *instances[i]->begin(now, timer);
      if (!end) continue;
      steps.post(*end, i);
      if (i < senders && layers) hand_over(i, now, *end);
    }
  }
}

TEST(Handover, JumpsOverUnchangedStepsGiveWhatSteppingDoes) {
  std::int64_t jumped = 0;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    // Times that no two instances share, so that nothing happens at one instant.
    Traffic traffic = random_traffic(seed, 150, seed % 3 == 0 ? 300'000 : 20'000);
    for (std::size_t i = 1; i < traffic.requests.size(); ++i) {
      traffic.requests[i].arrival =
          std::max(traffic.requests[i].arrival, traffic.requests[i - 1].arrival + ns(7));
    }
    PooledServer s;
    for (const PoolRole role : {PoolRole::prefill, PoolRole::decode}) {
      PoolSettings pool{.instance = server(BatchingPolicy::vllm_v1, 300).instance,
                        .replicas = 1 + static_cast<std::int64_t>(seed % 3),
                        .link = BytesPerSecond{seed % 2 == 0 ? 1.7e8 : 3.1e9}};
      pool.instance.role = role;
      s.pools.push_back(pool);
    }
    s.transfer = {.block = Bytes{1013},
                  .layers = 7,
                  .latency = Seconds{1.3e-7},
                  .overlap = seed % 5 < 2 ? KvOverlap::none : KvOverlap::layers};
    LinearTimer a(101, 1), b(101, 1);
    const ServingRun plain = plainly(s, traffic, a);
    const std::vector<BatchTimer*> timers(2, &b);
    const ServingRun run = *simulate(s, traffic, timers);
    for (std::size_t i = 0; i < traffic.requests.size(); ++i)
      ASSERT_TRUE(same(run.requests[i], plain.requests[i])) << "seed " << seed << ", request " << i;
    for (std::size_t p = 0; p < 2; ++p) {
      EXPECT_EQ(run.pools[p].steps, plain.pools[p].steps);
      EXPECT_EQ(run.pools[p].busy, plain.pools[p].busy);
    }
    EXPECT_EQ(run.transfers.bytes, plain.transfers.bytes);
    EXPECT_EQ(run.transfers.delay.mean(), plain.transfers.delay.mean());
    jumped += run.jumped_steps;
  }
  EXPECT_GT(jumped, 10'000);
}

}  // namespace
}  // namespace inferometer
