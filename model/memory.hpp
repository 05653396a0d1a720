#pragma once
#include "model/case.hpp"
#include "model/structure.hpp"

namespace inferometer {

/// Bytes that one device needs for a Case.
struct MemoryUse {
  Bytes weights{0}, kv{0}, activations{0}, workspace{0};
  Bytes capacity{0};  ///< what the device offers

  Bytes total() const { return weights + kv + activations + workspace; }
  bool fits() const { return total() <= capacity; }
};

/// Bytes of weights with their scales.
Bytes weight_bytes(const Structure& structure);
/// Memory of the workload's largest step: weights, cached state of all sequences at full length in whole
/// blocks, the activation buffers of the step with most tokens (each buffer once), and the workspace of its
/// kernels (naive attention's scores).
MemoryUse memory_budget(const Case& c, const Structure& structure);

}  // namespace inferometer
