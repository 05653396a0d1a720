#include "model/stages.hpp"

#include <gtest/gtest.h>

#include "model/kv_capacity.hpp"
#include "model/memory.hpp"
#include "tests/model/networks.hpp"

namespace inferometer {
namespace {

Structure whole(std::int64_t layers, std::int64_t stages, bool tied = false) {
  Architecture a = tiny_llama();
  a.layers = layers;
  a.tied_embeddings = tied;
  Plan plan;
  plan.fusion = {.qkv = true, .gate_up = true, .residual_norm = true};
  plan.parallel.pipeline = stages;
  return *compile(a, plan);
}

std::vector<std::size_t> layers_of(const std::vector<Stage>& stages) {
  std::vector<std::size_t> layers;
  for (const Stage& s : stages) layers.push_back(s.structure.states.size());
  return layers;
}

TEST(Stages, FirstOnesTakeTheLayersThatAreLeftOver) {
  EXPECT_EQ(layers_of(stages_of(whole(7, 1))), (std::vector<std::size_t>{7}));
  EXPECT_EQ(layers_of(stages_of(whole(8, 4))), (std::vector<std::size_t>{2, 2, 2, 2}));
  EXPECT_EQ(layers_of(stages_of(whole(7, 3))), (std::vector<std::size_t>{3, 2, 2}));
  EXPECT_EQ(layers_of(stages_of(whole(5, 5))), (std::vector<std::size_t>{1, 1, 1, 1, 1}));
}

TEST(Stages, HoldEachNodeAndEachWeightOnce) {
  const Structure all = whole(7, 3);
  Bytes weights{0};
  std::size_t nodes = 0;
  for (const Stage& s : stages_of(all)) {
    weights += weight_bytes(s.structure);
    nodes += s.structure.nodes.size();
    for (std::size_t n = 0; n < s.structure.nodes.size(); ++n) {
      EXPECT_EQ(s.structure.nodes[n].name, all.nodes[s.nodes.first + n].name);
      for (const std::int32_t w : s.structure.nodes[n].weights)
        EXPECT_LT(static_cast<std::size_t>(w), s.structure.weights.size());
    }
    for (const StructureEdge& e : s.structure.edges) EXPECT_LT(e.from, e.to);
  }
  EXPECT_EQ(weights, weight_bytes(all));
  EXPECT_EQ(nodes + 2, all.nodes.size()) << "two hand on";
  EXPECT_EQ(stages_of(all).front().structure.nodes.front().role, Role::embed);
  EXPECT_LT(stages_of(all).front().structure.logits, 0);
  EXPECT_EQ(stages_of(all).back().structure.nodes.back().role, Role::sample);
}

TEST(Stages, ATableThatEmbeddingAndHeadShareIsInBoth) {
  const Structure all = whole(4, 2, true);
  const auto stages = stages_of(all);
  const Bytes table{100 * 32 * 2};
  EXPECT_EQ(weight_bytes(stages[0].structure) + weight_bytes(stages[1].structure), weight_bytes(all) + table);
}

TEST(Stages, TheFullestOneDecidesTheCache) {
  Case c;
  c.models["model"] = tiny_llama();
  c.models["model"].layers = 7;
  c.cluster.device.memory_capacity.value = Bytes{1 << 20};
  const auto blocks = [&](std::int64_t stages) {
    c.plan.parallel.pipeline = stages;
    return kv_budget(c, *compile(c.model(), c.plan));
  };
  c.serving.max_num_batched_tokens = 16;
  c.serving.max_num_seqs = 4;
  const KvBudget one = blocks(1), three = blocks(3);
  EXPECT_EQ(three.block.value * 7, one.block.value * 3) << "three of seven layers";
  EXPECT_GT(three.blocks, 2 * one.blocks);
  EXPECT_LT(three.weights, one.weights);
}

TEST(Stages, MoreThanLayersAreRefused) {
  Plan plan;
  plan.parallel.pipeline = 3;
  const auto refused = compile(tiny_llama(), plan);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().front().message, "parallel.pipeline: 3 stages for 2 layers");
}

}  // namespace
}  // namespace inferometer
