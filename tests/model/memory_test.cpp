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

TEST(Memory, AProcessorThatWidensBf16KeepsItsMatricesInF32) {
  Case c;
  c.models["model"] = tiny_llama();
  c.models["model"].tied_embeddings = true;
  c.cluster.device.kind = DeviceKind::cpu;
  const Structure structure = *compile(c.model(), c.plan);
  const auto weights = [&](bool widens) {
    c.cluster.device.widens_bf16 = widens;
    return memory_budget(c, structure).weights;
  };
  std::vector<bool> packed(structure.weights.size(), false);
  for (const StructureNode& node : structure.nodes) {
    if (!std::holds_alternative<Linear>(node.op)) continue;
    for (const auto w : node.weights) packed[static_cast<std::size_t>(w)] = true;
  }
  Bytes multiplied{0};  // the table's second copy among them, norms not
  for (std::size_t w = 0; w < packed.size(); ++w) {
    const WeightSpec& spec = structure.weights[w];
    if (packed[w]) multiplied += size_of(spec.matrices * spec.rows * spec.columns, DType::bf16);
  }
  EXPECT_GT(multiplied, Bytes{0});
  EXPECT_EQ(weights(true), weights(false) + multiplied);
}

}  // namespace
}  // namespace inferometer
