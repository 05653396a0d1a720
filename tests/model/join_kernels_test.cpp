#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "model/graph.hpp"
#include "model/memory_plan.hpp"
#include "model/product_behind.hpp"
#include "model/structure.hpp"
#include "tests/model/networks.hpp"

namespace inferometer {
namespace {

constexpr std::int64_t any = std::numeric_limits<std::int64_t>::max();

Structure lowered(Plan::Fusion fusion, InputFormat inputs = InputFormat::as_is, DType weights = DType::bf16) {
  Plan plan;
  plan.fusion = fusion;
  plan.precision.weights = weights;
  if (inputs != InputFormat::as_is) {
    plan.precision.inputs = inputs;
    plan.precision.inputs.rules = {{.role = "lm_head", .value = InputFormat::as_is}};
    plan.precision.weights = inputs == InputFormat::fp8 ? DType::fp8 : DType::int8;
  }
  const auto structure = compile(tiny_llama(), plan);
  EXPECT_TRUE(structure) << to_string(structure.error());
  return *structure;
}
/// Roles of the nodes that run in the kernel of the node before them, in steps of up to `tokens`.
std::vector<std::string> joined(const Structure& s, std::int64_t tokens) {
  std::vector<std::string> roles;
  for (const StructureNode& n : s.nodes) {
    if (n.layer <= 0 && n.joins_up_to >= tokens) roles.emplace_back(name(n.role));
  }
  return roles;
}

/// Roles of the nodes of the first layer's kernels, in steps of so many tokens.
std::vector<std::string> kernels(const Structure& s, std::int64_t tokens) {
  std::vector<std::string> all;
  for (std::size_t i = 0; i < s.nodes.size(); ++i) {
    const NodeRange kernel = kernel_of(s, i, {.tokens = tokens});
    if (s.nodes[i].layer != 0 || kernel.first != i) continue;
    all.emplace_back();
    for (std::size_t n = kernel.first; n <= kernel.last; ++n)
      all.back() += (n == kernel.first ? "" : " ") + std::string{name(s.nodes[n].role)};
  }
  return all;
}

/// Each product's role and layer, and that of the product in the kernel behind its own, if there is one.
std::vector<std::string> behind_products(const Structure& s, std::int64_t tokens) {
  const Features f{.tokens = tokens};
  const auto text = [&](std::size_t i) {
    return std::string{name(s.nodes[i].role)} + " " + std::to_string(s.nodes[i].layer);
  };
  std::vector<std::string> all;
  for (std::size_t i = 0; i < s.nodes.size(); ++i) {
    if (!std::holds_alternative<Linear>(s.nodes[i].op)) continue;
    const auto next = product_behind(s, kernel_of(s, i, f).last, f);
    all.push_back(text(i) + (next ? " > " + text(*next) : ""));
  }
  return all;
}

TEST(JoinKernels, WhatRunsBehindAProductIsOfTheNextKernel) {
  Architecture a = tiny_llama();
  a.hidden = a.intermediate = 128;
  a.heads = 128 / a.head_dim;
  Plan plan;
  plan.fusion = {
      .qkv = true, .gate_up = true, .residual_norm = true, .norm_epilogue = true, .gated_epilogue = true};
  plan.precision.weights = DType::int4;
  const auto joined = compile(a, plan);
  ASSERT_TRUE(joined) << to_string(joined.error());
  EXPECT_EQ(
      behind_products(*joined, 16),
      (std::vector<std::string>{"qkv 0", "o 0 > gate_up 0", "gate_up 0 > down 0", "down 0 > qkv 1", "qkv 1",
                                "o 1 > gate_up 1", "gate_up 1 > down 1", "down 1", "lm_head -1"}));
  // Kernels of norms and activations are between all but these.
  EXPECT_EQ(behind_products(lowered({}), 16),
            (std::vector<std::string>{"q 0 > k 0", "k 0 > v 0", "v 0", "o 0", "gate 0 > up 0", "up 0",
                                      "down 0", "q 1 > k 1", "k 1 > v 1", "v 1", "o 1", "gate 1 > up 1",
                                      "up 1", "down 1", "lm_head -1"}));
}

TEST(JoinKernels, NothingJoinsUnlessThePlanSaysSo) { EXPECT_TRUE(joined(lowered({}), 1).empty()); }

TEST(JoinKernels, RopeAndCacheWriteInStepsOfAnySize) {
  const Structure s = lowered({.rope_kv = true});
  EXPECT_EQ(joined(s, 1), std::vector<std::string>{"kv_write"});
  EXPECT_EQ(joined(s, any), std::vector<std::string>{"kv_write"});
}

TEST(JoinKernels, RopeAndCacheWriteWithAttentionInDecodeSteps) {
  const auto length = [](const Plan::Fusion& fusion, const Features& f) {
    const Structure s = lowered(fusion);
    for (std::size_t i = 0; i < s.nodes.size(); ++i) {
      const NodeRange kernel = kernel_of(s, i, f);
      if (s.nodes[i].role == Role::rope) return kernel.last - kernel.first + 1;
    }
    return std::size_t{0};
  };
  const Features decode{.tokens = 2, .slices = {{1, 9}, {1, 0}}},
      mixed{.tokens = 3, .slices = {{1, 9}, {2, 0}}};
  EXPECT_EQ(length({.rope_attention = true}, decode), 3U);
  EXPECT_EQ(length({.rope_attention = true}, mixed), 1U);
  EXPECT_EQ(length({.rope_kv = true, .rope_attention = true}, decode), 3U);
  EXPECT_EQ(length({.rope_kv = true, .rope_attention = true}, mixed), 2U);
}

TEST(JoinKernels, CudnnLeavesDecodeStepsAsTheyAre) {
  Plan plan;
  plan.fusion.rope_attention = true;
  plan.kernels.attention = AttentionKernel::cudnn;
  const auto s = compile(tiny_llama(), plan);
  ASSERT_TRUE(s);
  for (const StructureNode& n : s->nodes)
    EXPECT_EQ(n.joins_decode, n.role == Role::kv_write || n.role == Role::attention);
}

TEST(JoinKernels, NormsInTheOneProductThatReadsThem) {
  // Three products read the first norm of a layer and two the second: only the head has one for itself.
  EXPECT_EQ(joined(lowered({.norm_product = true}), 1), std::vector<std::string>{"lm_head"});
  const Structure s = lowered(
      {.qkv = true, .gate_up = true, .residual_norm = true, .norm_product = true, .gated_product = true});
  EXPECT_EQ(joined(s, 1), (std::vector<std::string>{"qkv", "gate_up", "down", "lm_head"}));
  EXPECT_TRUE(joined(s, 2).empty()) << "in steps of one token only";
}

TEST(JoinKernels, NormsAndProductsOfInt4WeightsToo) {
  const Structure s =
      lowered({.qkv = true, .gate_up = true, .norm_product = true}, InputFormat::as_is, DType::int4);
  const auto roles = joined(s, 1);
  EXPECT_EQ(std::count(roles.begin(), roles.end(), "qkv"), 1);
  EXPECT_EQ(std::count(roles.begin(), roles.end(), "gate_up"), 1);
}

TEST(JoinKernels, StaticQuantizationInWhateverMakesTheValues) {
  Plan::Fusion fusion{.qkv = true, .gate_up = true, .residual_norm = true, .quantize = true};
  const Structure s = lowered(fusion, InputFormat::fp8);
  // Attention's output is quantised by a node of its own, or in steps of one token in the product behind.
  EXPECT_EQ(joined(s, any), (std::vector<std::string>{"quantize", "quantize", "quantize"}));
  EXPECT_EQ(joined(s, 1), (std::vector<std::string>{"quantize", "o", "quantize", "quantize"}));
  EXPECT_TRUE(joined(lowered(fusion, InputFormat::int8), 1).empty()) << "a scale per token is found first";
  fusion.quantize = false;
  EXPECT_TRUE(joined(lowered(fusion, InputFormat::fp8), 1).empty());
}

TEST(JoinKernels, NormQuantizationAndProductAreOneKernelInStepsOfOneToken) {
  const Structure s = lowered({.qkv = true,
                               .gate_up = true,
                               .residual_norm = true,
                               .norm_product = true,
                               .gated_product = true,
                               .quantize = true},
                              InputFormat::fp8);
  EXPECT_EQ(kernels(s, 1),
            (std::vector<std::string>{"norm quantize qkv", "rope", "kv_write", "attention", "quantize o",
                                      "norm quantize gate_up", "activation quantize down"}));
  EXPECT_EQ(kernels(s, 2),
            (std::vector<std::string>{"norm quantize", "qkv", "rope", "kv_write", "attention", "quantize",
                                      "o", "norm quantize", "gate_up", "activation quantize", "down"}));
}

/// Roles that run in one kernel in steps of `tokens`, of the first layer's mixture, by kernel.
std::vector<std::string> mixture_kernels(const Plan& plan, std::int64_t tokens, const Architecture& a) {
  const auto s = compile(a, plan);
  EXPECT_TRUE(s) << to_string(s.error());
  std::vector<std::string> all;
  for (std::size_t i = 0; i < s->nodes.size(); ++i) {
    const NodeRange kernel = kernel_of(*s, i, {.tokens = tokens});
    if (s->nodes[i].layer != 0 || kernel.first != i || s->nodes[i].name.find("mlp") == std::string::npos)
      continue;
    all.emplace_back();
    for (std::size_t n = kernel.first; n <= kernel.last; ++n)
      all.back() += (n == kernel.first ? "" : " ") + std::string{name(s->nodes[n].role)};
  }
  return all;
}

TEST(JoinKernels, NormAndRouterInStepsOfFewTokensAndMixturesInStepsOfOne) {
  Plan plan;
  plan.fusion = {
      .gate_up = true, .residual_norm = true, .quantize = true, .norm_router = true, .experts = true};
  plan.precision.weights = DType::fp8;
  plan.precision.weights.rules = {{.role = "router", .value = DType::bf16}};
  plan.precision.inputs = InputFormat::fp8;
  const Architecture a = tiny_mixtral();
  EXPECT_EQ(mixture_kernels(plan, 1, a),
            (std::vector<std::string>{"norm router route quantize",
                                      "expert_gate_up expert_activation quantize expert_down combine"}));
  EXPECT_EQ(mixture_kernels(plan, 64, a),
            (std::vector<std::string>{"norm router route quantize", "expert_gate_up",
                                      "expert_activation quantize", "expert_down", "combine"}));
  EXPECT_EQ(mixture_kernels(plan, 65, a),
            (std::vector<std::string>{"norm", "router", "route", "quantize", "expert_gate_up",
                                      "expert_activation quantize", "expert_down", "combine"}));
  plan.fusion.quantize = false;
  EXPECT_EQ(mixture_kernels(plan, 1, a),
            (std::vector<std::string>{"norm router route", "quantize",
                                      "expert_gate_up expert_activation quantize expert_down combine"}));
  plan.precision = {};
  EXPECT_EQ(mixture_kernels(plan, 1, a),
            (std::vector<std::string>{"norm router route",
                                      "expert_gate_up expert_activation expert_down combine"}));
  plan.fusion.gate_up = false;
  EXPECT_EQ(mixture_kernels(plan, 1, a),
            (std::vector<std::string>{"norm router route", "expert_gate", "expert_up", "expert_activation",
                                      "expert_down", "combine"}));
  plan.fusion = {.gate_up = true, .residual_norm = true};
  EXPECT_EQ(mixture_kernels(plan, 1, a),
            (std::vector<std::string>{"norm", "router", "route", "expert_gate_up", "expert_activation",
                                      "expert_down", "combine"}));
}

TEST(JoinKernels, TheGatedActivationInTheProductThatMakesItsGateAndUp) {
  Plan::Fusion fusion{.qkv = true, .gate_up = true, .residual_norm = true, .gated_epilogue = true};
  EXPECT_EQ(kernels(lowered(fusion), 1),
            (std::vector<std::string>{"norm", "qkv", "rope", "kv_write", "attention", "o", "norm",
                                      "gate_up activation", "down"}));
  const auto joins = [](const Structure& s, std::int64_t tokens) {
    const auto all = kernels(s, tokens);
    return std::count(all.begin(), all.end(), "gate_up activation") == 1;
  };
  for (const std::int64_t tokens : {64, 65, 128, 218, 256, 327, 384, 2048})
    EXPECT_TRUE(joins(lowered(fusion), tokens)) << tokens;
  for (const std::int64_t tokens : {129, 217, 257, 326, 385})
    EXPECT_FALSE(joins(lowered(fusion), tokens)) << tokens << " leave much of a tile of 128 empty";
  EXPECT_EQ(joined(lowered({.gated_epilogue = true}), 1), std::vector<std::string>{}) << "gate and up apart";
  const auto int4 = [&](std::int64_t hidden) {
    Architecture a = tiny_llama();
    a.hidden = hidden;
    Plan plan;
    plan.fusion = fusion;
    plan.precision.weights = DType::int4;
    return *compile(a, plan);
  };
  EXPECT_EQ(joined(int4(128), 32), std::vector<std::string>{"activation"});
  EXPECT_FALSE(joins(int4(128), 33));
  EXPECT_FALSE(joins(int4(128), 256));
  EXPECT_EQ(joined(int4(96), 1), std::vector<std::string>{"activation"});
  EXPECT_EQ(joined(int4(96), 2), std::vector<std::string>{});
  fusion.norm_product = true;
  EXPECT_EQ(kernels(lowered(fusion), 1),
            (std::vector<std::string>{"norm qkv", "rope", "kv_write", "attention", "o",
                                      "norm gate_up activation", "down"}));
  fusion.quantize = true;
  const Structure s = lowered(fusion, InputFormat::fp8);
  EXPECT_EQ(kernels(s, 1),
            (std::vector<std::string>{"norm quantize qkv", "rope", "kv_write", "attention", "quantize o",
                                      "norm quantize gate_up activation quantize", "down"}));
  EXPECT_EQ(kernels(s, 2),
            (std::vector<std::string>{"norm quantize", "qkv", "rope", "kv_write", "attention", "quantize",
                                      "o", "norm quantize", "gate_up activation quantize", "down"}));
}

TEST(JoinKernels, ResidualNormsRunInTheProductsBeforeThemInStepsOfFewTokens) {
  const auto of = [](std::int64_t hidden, DType weights, bool residual_norm) {
    Architecture a = tiny_llama();
    a.hidden = hidden;
    a.heads = hidden / a.head_dim;
    a.intermediate = 128;
    Plan plan;
    plan.fusion = {.qkv = true,
                   .gate_up = true,
                   .residual_norm = residual_norm,
                   .norm_product = true,
                   .norm_epilogue = true,
                   .gated_epilogue = true};
    plan.precision.weights = weights;
    const auto s = compile(a, plan);
    EXPECT_TRUE(s) << to_string(s.error());
    return *s;
  };
  for (const auto& [s, most] :
       {std::pair{of(128, DType::int4, true), 32}, {of(128, DType::bf16, true), 64}}) {
    EXPECT_EQ(kernels(s, 1), (std::vector<std::string>{"norm qkv", "rope", "kv_write", "attention", "o",
                                                       "norm gate_up activation", "down"}));
    // The first layer's first norm has no product before it; its last product takes the next layer's along.
    for (const std::int64_t tokens : {2, most})
      EXPECT_EQ(kernels(s, tokens), (std::vector<std::string>{"norm", "qkv", "rope", "kv_write", "attention",
                                                              "o norm", "gate_up activation", "down norm"}));
  }
  EXPECT_EQ(kernels(of(128, DType::int4, true), 33),
            (std::vector<std::string>{"norm", "qkv", "rope", "kv_write", "attention", "o", "norm", "gate_up",
                                      "activation", "down"}));
  EXPECT_EQ(kernels(of(128, DType::bf16, true), 65),
            (std::vector<std::string>{"norm", "qkv", "rope", "kv_write", "attention", "o", "norm",
                                      "gate_up activation", "down"}));
  // Values are quantised as they are, not scaled later.
  for (const Structure& apart :
       {of(128, DType::fp8, true), of(96, DType::int4, true), of(128, DType::int4, false)}) {
    for (const std::string& kernel : kernels(apart, 2)) EXPECT_EQ(kernel.find(" norm"), std::string::npos);
  }
}

TEST(JoinKernels, ResidualNormsStayApartBetweenProductsOfTwoFormatsAndBehindOneThatAddsByItself) {
  Architecture a = tiny_llama();
  a.hidden = a.intermediate = 128;
  a.heads = 128 / a.head_dim;
  Plan plan;
  plan.fusion = {.qkv = true, .gate_up = true, .residual_norm = true, .norm_epilogue = true};
  plan.precision.weights.rules = {{.role = "o", .value = DType::int4}};
  const auto two_formats = compile(a, plan);
  ASSERT_TRUE(two_formats) << to_string(two_formats.error());
  const std::vector<std::string> all = kernels(*two_formats, 2);
  EXPECT_NE(std::find(all.begin(), all.end(), "o"), all.end());
  EXPECT_NE(std::find(all.begin(), all.end(), "down norm"), all.end());

  // What experts add up to is a residual of the shared expert's last product, whose norm adds another.
  a.moe = MixtureOfExperts{.experts = 4,
                           .top_k = 2,
                           .intermediate = 64,
                           .shared_intermediate = 64,
                           .sparse_layer = std::vector<bool>(static_cast<std::size_t>(a.layers), true)};
  plan.precision.weights.rules.clear();
  plan.fusion.residual_product = true;
  const auto shared = compile(a, plan);
  ASSERT_TRUE(shared) << to_string(shared.error());
  int behind = 0;
  for (std::size_t i = 1; i < shared->nodes.size(); ++i) {
    const auto* before = std::get_if<Linear>(&shared->nodes[i - 1].op);
    if (before == nullptr || !before->residual) continue;
    EXPECT_EQ(shared->nodes[i].joins_from, 1);
    ++behind;
  }
  EXPECT_GT(behind, 0);
}

TEST(JoinKernels, TheGatedActivationRunsInOneOfTheProductsAroundIt) {
  Plan plan;
  plan.fusion = {.gate_up = true, .gated_product = true, .gated_epilogue = true};
  const auto structure = compile(tiny_llama(), plan);
  ASSERT_FALSE(structure);
  EXPECT_NE(to_string(structure.error()).find("fusion.gated_product, gated_epilogue"), std::string::npos);
}

TEST(JoinKernels, AKernelIsNamedByAnyOfItsNodes) {
  const Structure s = lowered({.rope_kv = true});
  for (std::size_t i = 0; i < s.nodes.size(); ++i) {
    const NodeRange kernel = kernel_of(s, i, {.tokens = 7});
    EXPECT_LE(kernel.first, i);
    EXPECT_GE(kernel.last, i);
    EXPECT_EQ(kernel.last - kernel.first,
              s.nodes[i].role == Role::rope || s.nodes[i].role == Role::kv_write ? 1U : 0U);
  }
}

TEST(JoinKernels, BuffersOfOneKernelDoNotShareMemory) {
  const Structure s = lowered(
      {.qkv = true, .gate_up = true, .residual_norm = true, .norm_product = true, .gated_product = true});
  const Features f{.tokens = 1, .sequences = 1, .logit_rows = 1, .slices = {{1, 9}}};
  const MemoryPlan plan = plan_memory(s, f);
  for (std::size_t i = 0; i < s.nodes.size(); ++i) {
    const NodeRange kernel = kernel_of(s, i, f);
    if (kernel.first == kernel.last || kernel.first != i) continue;
    // What the last node writes may not lie where the first still reads: each block of the kernel reads it
    // all.
    const auto range = [&](std::int32_t b) {
      const Buffer& buffer = s.buffers[static_cast<std::size_t>(b)];
      const std::int64_t start = plan.offset[static_cast<std::size_t>(b)].value;
      return std::pair{start,
                       start + size_of(row_count(buffer.rows, s, f) * buffer.columns, buffer.dtype).value};
    };
    for (const View& read : s.nodes[kernel.first].reads) {
      for (const View& write : s.nodes[kernel.last].writes) {
        const auto [a, b] = range(read.buffer);
        const auto [c, d] = range(write.buffer);
        EXPECT_TRUE(b <= c || d <= a) << s.nodes[i].name;
      }
    }
  }
}

}  // namespace
}  // namespace inferometer
