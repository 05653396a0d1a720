#include "model/case_hash.hpp"

#include <gtest/gtest.h>

#include <functional>

#include "tests/model/networks.hpp"

namespace inferometer {
namespace {

Case mixtral_case() {
  Case c;
  c.models["model"] = tiny_mixtral();
  c.cluster.device.name = "d";
  return c;
}

TEST(CaseHash, DiffersWhenAnythingDiffersThatAPredictionIsMadeOf) {
  const std::vector<std::function<void(Case&)>> changes{
      [](Case& c) { c.models["model"].rope.factor = 2; },
      [](Case& c) { c.models["model"].moe->sparse_layer[1] = false; },
      [](Case& c) { c.models["model"].moe.reset(); },
      [](Case& c) { c.models["model"].latent.emplace(); },
      [](Case& c) { c.models["model"].tied_embeddings = true; },
      [](Case& c) { c.models["draft"] = tiny_llama(); },
      [](Case& c) { c.cluster.count = 2; },
      [](Case& c) { c.cluster.device.memory_bandwidth.value = BytesPerSecond{1}; },
      [](Case& c) { c.cluster.device.matrix[DType::fp8].value = FlopsPerSecond{1}; },
      [](Case& c) {
        c.cluster.device.power = Sourced<Watts>{Watts{0}, ""};
      },
      [](Case& c) { c.engine.per_step = Seconds{1e-6}; },
      [](Case& c) { c.serving.load = 1.5; },
      [](Case& c) { c.workload.batch = 2; },
      [](Case& c) { c.draws.seed = 2; }};
  std::vector<std::uint64_t> hashes{case_hash(mixtral_case())};
  for (const auto& change : changes) {
    Case c = mixtral_case();
    change(c);
    for (const std::uint64_t earlier : hashes) EXPECT_NE(case_hash(c), earlier) << hashes.size();
    hashes.push_back(case_hash(c));
  }
}

TEST(CaseHash, IsTheSameWhereOnlyWordsDiffer) {
  Case c = mixtral_case();
  c.cluster.device.description = "other words";
  c.cluster.device.clock.source = "another data sheet";
  c.engine.source = "a guess";
  EXPECT_EQ(case_hash(c), case_hash(mixtral_case()));
}

TEST(TrafficHash, DiffersWhenAnyRequestDiffers) {
  const Traffic traffic{.requests = {{.prompt_tokens = 4}, {.arrival = Nanoseconds{1}}}, .blocks = {1, 2}};
  const auto differs = [&](const std::function<void(Traffic&)>& change) {
    Traffic other = traffic;
    change(other);
    return traffic_hash(other) != traffic_hash(traffic);
  };
  EXPECT_TRUE(differs([](Traffic& t) { t.requests[1].arrival = Nanoseconds{2}; }));
  EXPECT_TRUE(differs([](Traffic& t) { t.requests[1].after = 0; }));
  EXPECT_TRUE(differs([](Traffic& t) { std::swap(t.requests[0], t.requests[1]); }));
  EXPECT_TRUE(differs([](Traffic& t) { t.blocks[1] = 3; }));
  EXPECT_TRUE(differs([](Traffic& t) { t.concurrency = 1; }));
  EXPECT_FALSE(differs([](Traffic& t) { t.source = "elsewhere"; }));
}

}  // namespace
}  // namespace inferometer
