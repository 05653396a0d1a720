#include "model/memory.hpp"

#include <gtest/gtest.h>

#include "model/kv_capacity.hpp"
#include "tests/model/networks.hpp"

namespace inferometer {
namespace {

TEST(Memory, ACopyBesideTheStepsNeedsItsBuffersOnTheDevice) {
  Case c;
  c.models["model"] = tiny_llama();
  const Structure structure = *compile(c.model(), c.plan);
  const Bytes without = memory_budget(c, structure).total();
  const auto more = [&](CopyDirection direction) {
    c.workload.copy_beside = {.bytes = Bytes{1000}, .direction = direction};
    return memory_budget(c, structure).total() - without;
  };
  EXPECT_EQ(more(CopyDirection::within_device), Bytes{2000});
  EXPECT_EQ(more(CopyDirection::to_host), Bytes{1000});
  EXPECT_EQ(more(CopyDirection::from_host), Bytes{1000});
}

TEST(Memory, ACpuKeepsTiedEmbeddingsPackedAndAsTheyLie) {
  Case c;
  c.models["model"] = tiny_llama();
  const auto weights = [&](DeviceKind kind, bool tied) {
    c.cluster.device.kind = kind;
    c.models["model"].tied_embeddings = tied;
    const Structure structure = *compile(c.model(), c.plan);
    EXPECT_EQ(memory_budget(c, structure).weights, kv_budget(c, structure).weights);
    return memory_budget(c, structure).weights;
  };
  const Bytes table{c.model().vocab * c.model().hidden * 2};
  EXPECT_EQ(weights(DeviceKind::cpu, false), weights(DeviceKind::gpu, false));
  EXPECT_EQ(weights(DeviceKind::gpu, false) - weights(DeviceKind::gpu, true), table);
  EXPECT_EQ(weights(DeviceKind::cpu, false), weights(DeviceKind::cpu, true));
}

}  // namespace
}  // namespace inferometer
