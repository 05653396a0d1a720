#pragma once
#include "model/case.hpp"
#include "model/graph.hpp"
#include "model/structure.hpp"

namespace inferometer {

/// Bytes that one device needs for a Case.
struct MemoryUse {
  Bytes weights{0}, kv{0}, activations{0};
  Bytes workspace{0};  ///< of kernels, and the buffers of a copy beside the steps
  Bytes capacity{0};   ///< what the device offers

  Bytes total() const { return weights + kv + activations + workspace; }
  bool fits() const { return total() <= capacity; }
};

/// Bytes of weights with their scales.
Bytes weight_bytes(const Structure& structure);
/// What a device keeps of them: a CPU multiplies with packed weights, and keeps tables that are looked up as
/// well (tied embeddings) a second time, as they lie; matrices in bf16 it may keep as f32
/// (Device::widens_bf16).
Bytes kept_weight_bytes(const Case& c, const Structure& structure);
/// Cached state of `sequences` sequences of `tokens` each, in whole blocks (windows are not applied: blocks
/// behind a window are not freed).
Bytes kv_bytes(const Structure& structure, const Plan& plan, std::int64_t sequences, std::int64_t tokens);
/// What a step's kernels need beside their operands: the scores of naive attention.
Bytes workspace_bytes(const Structure& structure, const Features& features);
/// Memory of one step with `sequences` sequences of up to `tokens` tokens in the cache; of a pipeline, in its
/// fullest stage.
MemoryUse memory_of_step(const Case& c, const Structure& structure, const Features& features,
                         std::int64_t sequences, std::int64_t tokens);
/// Memory of the workload: its largest step, and cached state of all sequences at full length, against what
/// the device offers; of replicas of attention, in the fullest of them.
MemoryUse memory_budget(const Case& c, const Structure& structure);

}  // namespace inferometer
