#pragma once
#include "executor/cuda/constants.hpp"
#include "executor/cuda/cublaslt.hpp"
#include "executor/cuda/cudnn/prompt_attention.hpp"
#include "executor/cuda/expert_scratch.hpp"
#include "executor/cuda/input_scales.hpp"
#include "executor/cuda/inputs.hpp"
#include "executor/cuda/splits.hpp"
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
  const InputScales& scales;
  const Scratch& scratch;
  const ExpertScratch& experts;
  const Gpu& gpu;
  const Tuning& tuning;
  CublasLt& products;
  PromptAttention* prompts = nullptr;  ///< there where inputs.prompts() has any
  const float* rope = nullptr;         ///< [positions, rotary]
  char* arena = nullptr;
  DecodeChoice decode;
  Queue queue;
};

/// Enqueues a kernel that does what nodes [first, last] of the structure do, or the kernels of one node.
/// Where input scales are wanted, a Quantize node of its own finds its scale first. requires a range that
/// join_kernels makes, or a single node
[[nodiscard]] Done launch_nodes(const NodeContext& context, NodeRange nodes);

}  // namespace inferometer::cuda
