#include "model/memory.hpp"

#include <algorithm>

#include "model/memory_plan.hpp"
#include "model/stages.hpp"

namespace inferometer {
namespace {

/// The workload's two kinds of step at their largest: the whole prompt, and the last decode step.
std::vector<Features> largest_steps(const Workload& w, std::int64_t ranks) {
  const auto batch = static_cast<std::size_t>(w.batch);
  Features prefill{w.batch * w.prompt_tokens, w.batch, w.batch, {}};
  prefill.slices.assign(batch, {w.prompt_tokens, 0});
  Features decode{w.batch, w.batch, w.batch, {}};
  decode.slices.assign(batch, {1, w.prompt_tokens + w.output_tokens - 1});
  return {fullest_share(std::move(prefill), ranks), fullest_share(std::move(decode), ranks)};
}

}  // namespace

Bytes weight_bytes(const Structure& structure) {
  Bytes sum{0};
  for (const WeightSpec& w : structure.weights) {
    std::vector<Operand> stored;
    w.format.append(stored, w.matrices, w.rows, w.columns);
    for (const Operand& o : stored) sum += o.stored();
  }
  return sum;
}

Bytes kept_weight_bytes(const Case& c, const Structure& structure) {
  Bytes sum = weight_bytes(structure);
  if (c.cluster.device.kind != DeviceKind::cpu) return sum;
  std::vector<bool> multiplied(structure.weights.size(), false), looked_up = multiplied, packed = multiplied;
  for (const StructureNode& node : structure.nodes) {
    for (const auto w : node.weights) {
      const auto at = static_cast<std::size_t>(w);
      if (std::holds_alternative<Embedding>(node.op)) looked_up[at] = true;
      if (std::holds_alternative<Linear>(node.op)) multiplied[at] = true;
      if (multiplied[at] || std::holds_alternative<BatchedLinear>(node.op) ||
          std::holds_alternative<ExpertLinear>(node.op))
        packed[at] = true;
    }
  }
  for (std::size_t w = 0; w < structure.weights.size(); ++w) {
    const WeightSpec& spec = structure.weights[w];
    if (!packed[w]) continue;
    const std::int64_t elements = spec.matrices * spec.rows * spec.columns;
    const Bytes plain = size_of(elements, spec.format.dtype);
    if (multiplied[w] && looked_up[w]) sum += plain;
    if (spec.format.dtype == DType::bf16 && c.cluster.device.widens_bf16)
      sum += size_of(elements, DType::f32) - plain;
  }
  return sum;
}

Bytes kv_bytes(const Structure& structure, const Plan& plan, std::int64_t sequences, std::int64_t tokens) {
  const std::int64_t block = plan.kv.block_tokens, blocks = (tokens + block - 1) / block;
  Bytes sum{0};
  for (const StateSpec& state : structure.states) {
    sum += sequences * (state.fixed_per_sequence + blocks * block * state.bytes_per_token());
  }
  return sum;
}

Bytes workspace_bytes(const Structure& structure, const Features& features) {
  Bytes most{0};
  for (const StructureNode& node : structure.nodes) {
    const auto* attention = std::get_if<Attention>(&node.op);
    if (!attention || attention->kernel != AttentionKernel::naive) continue;
    std::int64_t scores = 0;  // of all sequences at a time, the masked part too, in whole tiles of 64 keys
    for (const AttentionSlice& slice : features.slices)
      scores += attention->heads * slice.fresh * ((slice.cached + slice.fresh + 63) / 64 * 64);
    most = std::max(most, size_of(scores, DType::f32));
  }
  return most;
}

MemoryUse memory_of_step(const Case& c, const Structure& structure, const Features& features,
                         std::int64_t sequences, std::int64_t tokens) {
  MemoryUse most;
  for (const Stage& stage : stages_of(structure)) {
    const Structure& s = stage.structure;
    const MemoryUse use{.weights = kept_weight_bytes(c, s),
                        .kv = kv_bytes(s, c.plan, sequences, tokens),
                        .activations = plan_memory(s, features).total,
                        .workspace = workspace_bytes(s, features) + c.workload.copy_beside.on_device(),
                        .capacity = c.cluster.device.memory_capacity.value};
    if (use.total() > most.total()) most = use;
  }
  return most;
}

MemoryUse memory_budget(const Case& c, const Structure& structure) {
  MemoryUse most;
  const std::int64_t tokens = c.workload.prompt_tokens + c.workload.output_tokens;
  for (const Features& step : largest_steps(c.workload, c.plan.parallel.data)) {
    const MemoryUse use = memory_of_step(c, structure, step, step.sequences, tokens);
    if (use.total() > most.total()) most = use;
  }
  return most;
}

}  // namespace inferometer
