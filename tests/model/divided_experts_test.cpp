#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>

#include "model/graph.hpp"
#include "model/kv_capacity.hpp"
#include "model/memory.hpp"
#include "tests/model/networks.hpp"

namespace inferometer {
namespace {

Plan divided(std::int64_t tensor, std::int64_t data, bool experts) {
  Plan plan;
  plan.parallel = {.tensor = tensor, .data = data, .experts = experts};
  return plan;
}

std::int64_t count(const Structure& s, Role role) {
  return std::count_if(s.nodes.begin(), s.nodes.end(), [&](const auto& n) { return n.role == role; });
}

ExpertLinear first_experts(const Graph& graph, const Structure& s) {
  for (std::size_t n = 0; n < s.nodes.size(); ++n) {
    if (s.nodes[n].role == Role::expert_gate) return std::get<ExpertLinear>(graph[n].op);
  }
  throw std::logic_error("no experts");
}

TEST(DividedExperts, WholeExpertsTakeTheMemoryThatPartsOfEachDo) {
  const Structure parts = *compile(tiny_mixtral(), divided(2, 1, false));
  const Structure whole = *compile(tiny_mixtral(), divided(2, 1, true));
  EXPECT_EQ(weight_bytes(parts), weight_bytes(whole));
  EXPECT_EQ(count(whole, Role::all_reduce), count(parts, Role::all_reduce)) << "both sum what devices have";
  EXPECT_EQ(count(whole, Role::dispatch), 0) << "devices that divide a layer have all tokens";
}

TEST(DividedExperts, EachDeviceComputesItsPartOfWhatAllReplicasChoose) {
  const Structure s = *compile(tiny_mixtral(), divided(1, 2, true));
  EXPECT_EQ(count(s, Role::dispatch), 2);
  EXPECT_EQ(count(s, Role::collect), 2);
  EXPECT_EQ(count(s, Role::all_reduce), 0);
  Features step = alike({.attended = Attended{std::vector<AttentionSlice>(4, {1, 10})}, .logit_rows = 4});
  step.group_tokens = 20;
  const ExpertLinear op = first_experts(bind(s, step), s);
  EXPECT_EQ(op.experts, 2) << "of four";
  EXPECT_EQ(op.out, 24) << "all columns";
  EXPECT_EQ(op.rows(), 20 * 2 / 2) << "tokens of both, two experts each, two devices";
  EXPECT_EQ(op.touched, 2);
  step.group_tokens = 0;
  EXPECT_EQ(first_experts(bind(s, step), s).rows(), 4 * 2 / 2) << "by itself";
}

TEST(DividedExperts, AReplicaOfAttentionHasWholeHeadsAndACacheOfItsOwn) {
  Case c;
  c.models["model"] = tiny_mixtral();
  c.cluster.device.memory_capacity.value = Bytes{1 << 20};
  c.serving.max_num_batched_tokens = 16;
  c.serving.max_num_seqs = 4;
  c.plan = divided(1, 2, true);
  const KvBudget shared = kv_budget(c, *compile(c.model(), c.plan));
  c.plan = divided(1, 1, false);
  const KvBudget whole = kv_budget(c, *compile(c.model(), c.plan));
  EXPECT_EQ(shared.block, whole.block);
  EXPECT_LT(shared.weights, whole.weights);
}

TEST(DividedExperts, ABatchIsDividedOverTheReplicas) {
  Features f{.tokens = 35, .sequences = 7, .logit_rows = 7, .slices = {}};
  f.slices.assign(7, {5, 0});
  const Features share = fullest_share(f, 2);
  EXPECT_EQ(share.sequences, 4);
  EXPECT_EQ(share.tokens, 20);
  EXPECT_EQ(share.logit_rows, 4);
  EXPECT_EQ(share.group_tokens, 35);
  EXPECT_EQ(fullest_share(f, 1).group_tokens, 0);
}

TEST(AllToAll, ARowGoesOnceToEachRankWithOneOfItsExperts) {
  // Two of eight experts, two a rank: a given rank has none of them in 6/8 * 5/7 of the cases.
  const AllToAll op{.tokens = 56, .width = 8, .experts = 8, .top_k = 2, .ranks = 4};
  EXPECT_EQ(op.rows(), 4 * (56 - 30));
  EXPECT_EQ((AllToAll{.tokens = 56, .width = 8, .experts = 8, .top_k = 1, .ranks = 4}.rows()), 56);
  EXPECT_EQ((AllToAll{.tokens = 56, .width = 8, .experts = 8, .top_k = 8, .ranks = 4}.rows()), 4 * 56);
  EXPECT_EQ((AllToAll{.tokens = 56, .width = 8, .experts = 8, .top_k = 8, .ranks = 4, .senders = 2}.rows()),
            2 * 56);
}

TEST(DividedExperts, WhatCannotBeDividedIsRefusedWithItsReason) {
  const auto why = [](const Architecture& a, const Plan& plan) {
    const auto structure = compile(a, plan);
    return structure ? std::string{} : structure.error().front().message;
  };
  EXPECT_EQ(
      why(tiny_llama(), divided(1, 2, false)),
      "parallel.data: replicas of attention share experts, and a dense network has none; whole replicas are "
      "serving.replicas");
  EXPECT_EQ(why(tiny_llama(), divided(2, 1, true)), "parallel.experts: a dense network has no experts");
  EXPECT_EQ(why(tiny_mixtral(), divided(1, 2, false)),
            "parallel.data: replicas of attention share whole experts; set parallel.experts: true");
  EXPECT_EQ(why(tiny_mixtral(), divided(1, 3, true)),
            "parallel.experts: 3 devices do not divide the 4 experts");
  Plan both = divided(1, 2, true);
  both.parallel.pipeline = 2;
  EXPECT_EQ(why(tiny_mixtral(), both),
            "parallel.data: replicas of attention are not divided into stages; leave out parallel.pipeline");
}

}  // namespace
}  // namespace inferometer
