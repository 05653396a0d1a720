#include "model/kv_capacity.hpp"

#include <gtest/gtest.h>

#include "model/memory.hpp"
#include "tests/model/networks.hpp"

namespace inferometer {
namespace {

Case a_case() {
  Case c;
  c.models["model"] = tiny_llama();
  c.cluster.device.memory_capacity.value = Bytes{10'000'000};
  c.serving.max_num_seqs = 4;
  c.serving.max_num_batched_tokens = 64;
  return c;
}

TEST(KvBudget, IsWhatUsableMemoryHasLeftInWholeBlocks) {
  const Case c = a_case();
  const Structure structure = *compile(c.model(), c.plan);
  const KvBudget b = kv_budget(c, structure);
  EXPECT_EQ(b.usable, Bytes{9'000'000});
  EXPECT_EQ(b.block, kv_bytes(structure, c.plan, 1, c.plan.kv.block_tokens));
  EXPECT_EQ(b.blocks, (b.usable - b.weights - b.activations).value / b.block.value);
}

TEST(KvBudget, SamplingTakesMemoryOnlyBeyondWhatTheStepFreesBeforeIt) {
  Case c = a_case();
  const Structure structure = *compile(c.model(), c.plan);
  const KvBudget without = kv_budget(c, structure);
  c.engine.sampler_bytes_per_logit = 1;
  EXPECT_EQ(kv_budget(c, structure).sampler, Bytes{4 * 100});
  EXPECT_EQ(kv_budget(c, structure).blocks, without.blocks);
  c.engine.sampler_bytes_per_logit = 10'000;
  const KvBudget with = kv_budget(c, structure);
  EXPECT_EQ(with.blocks, (with.usable - with.weights - with.sampler).value / with.block.value);
  EXPECT_LT(with.blocks, without.blocks);
}

TEST(KvBudget, TheReserveOfTheEngineIsNoCache) {
  Case c = a_case();
  const Structure structure = *compile(c.model(), c.plan);
  const KvBudget without = kv_budget(c, structure);
  c.engine.memory_reserve = Bytes{10 * without.block.value};
  EXPECT_EQ(kv_budget(c, structure).blocks, without.blocks - 10);
}

}  // namespace
}  // namespace inferometer
