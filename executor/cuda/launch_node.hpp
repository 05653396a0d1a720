#pragma once
#include "executor/cuda/constants.hpp"
#include "executor/cuda/cublaslt.hpp"
#include "executor/cuda/cudnn/prompt_attention.hpp"
#include "executor/cuda/expert_scratch.hpp"
#include "executor/cuda/input_scales.hpp"
#include "executor/cuda/inputs.hpp"
#include "executor/cuda/scratch.hpp"
#include "executor/cuda/state.hpp"
#include "model/decode_splits.hpp"

namespace inferometer::cuda {

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
