#pragma once
#include "executor/cuda/device_buffer.hpp"
#include "executor/cuda/gpu.hpp"
#include "executor/cuda/kernels/experts.hpp"
#include "model/structure.hpp"

namespace inferometer::cuda {

/// Memory that mixtures of experts need beside their operands. Each layer's router writes the groups that
/// the layer's products read.
struct ExpertScratch {
  DeviceBuffer memory;
  std::int64_t tokens = 0;  ///< of the largest step that there is room for
  ExpertGroups groups;
  char* rows = nullptr;  ///< inputs of a mixture's first products, in the order of groups.pairs
  Bf16* products =
      nullptr;  ///< of its last, a launch per expert, in that order; null where none is asked for
  float* partial = nullptr;  ///< expert_partials() floats
};
/// Empty where the structure has no experts.
[[nodiscard]] Result<ExpertScratch> make_expert_scratch(const Structure& structure, std::int64_t tokens,
                                                        const Gpu& gpu);

}  // namespace inferometer::cuda
