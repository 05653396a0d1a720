#include <gtest/gtest.h>

#include <limits>

#include "model/graph.hpp"
#include "model/memory_plan.hpp"
#include "model/structure.hpp"
#include "tests/model/networks.hpp"

namespace inferometer {
namespace {

constexpr std::int64_t any = std::numeric_limits<std::int64_t>::max();

Structure lowered(Plan::Fusion fusion) {
  Plan plan;
  plan.fusion = fusion;
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

TEST(JoinKernels, NormsInTheOneProductThatReadsThem) {
  // Three products read the first norm of a layer and two the second: only the head has one for itself.
  EXPECT_EQ(joined(lowered({.norm_product = true}), 1), std::vector<std::string>{"lm_head"});
  const Structure s = lowered(
      {.qkv = true, .gate_up = true, .residual_norm = true, .norm_product = true, .gated_product = true});
  EXPECT_EQ(joined(s, 1), (std::vector<std::string>{"qkv", "gate_up", "down", "lm_head"}));
  EXPECT_TRUE(joined(s, 2).empty()) << "in steps of one token only";
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
