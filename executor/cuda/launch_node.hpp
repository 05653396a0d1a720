#pragma once
#include "executor/cuda/constants.hpp"
#include "executor/cuda/cublaslt.hpp"
#include "executor/cuda/expert_scratch.hpp"
#include "executor/cuda/inputs.hpp"
#include "executor/cuda/state.hpp"

namespace inferometer::cuda {

/// Memory that kernels need beside their operands.
struct Scratch {
  DeviceBuffer memory;
  std::int64_t sequences = 0, logit_rows = 0;  ///< of the largest step that there is room for
  Bytes score_bytes{0};
  float* streamed = nullptr;          ///< streamed_partials() floats, or int4_partials() if that is more
  std::uint16_t* unpacked = nullptr;  ///< the largest int4 matrix in bf16
  float* decode = nullptr;            ///< decode_partials() floats of the largest batch
  float* scores = nullptr;            ///< of naive attention
  std::uint32_t* flags = nullptr;     ///< [processors], zero between kernels
  std::uint32_t* tickets = nullptr;   ///< [sequences * kv_heads], zero between kernels
  std::uint64_t* largest = nullptr;   ///< [logit rows], zero between kernels
};

/// Everything that a node of a pass touches.
struct NodeContext {
  const Structure& structure;
  const Pass& pass;
  const CachedState& state;
  const Constants& constants;
  const DeviceInputs& inputs;
  const Scratch& scratch;
  const ExpertScratch& experts;
  const Gpu& gpu;
  CublasLt& products;
  const float* rope = nullptr;  ///< [positions, rotary]
  char* arena = nullptr;
  std::int32_t splits = 1;  ///< of decode attention
  Queue queue;
};

/// Enqueues the kernels of node `index` of the structure, and of the nodes that run in its kernel.
/// requires the first node of a kernel
[[nodiscard]] Done launch_node(const NodeContext& context, std::size_t index);

}  // namespace inferometer::cuda
