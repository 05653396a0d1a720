#pragma once
#include "model/case.hpp"
#include "model/structure.hpp"

namespace inferometer {

/// How an engine divides a device's memory. What is left after weights, the most that a step takes at once
/// and what the engine keeps to itself is the KV cache. A step's activations are free again when it samples.
/// Of a pipeline: a device of the stage with room for the fewest blocks, which each stage has then.
struct KvBudget {
  Bytes usable{0};       ///< of the device's memory, serving.gpu_memory_utilization_percent
  Bytes weights{0};      ///< on one device
  Bytes activations{0};  ///< of a step of max_num_batched_tokens new tokens, logits of max_num_seqs of them
  Bytes sampler{0};      ///< Engine::sampler_bytes_per_logit of max_num_seqs rows
  Bytes reserve{0};      ///< Engine::memory_reserve
  Bytes block{0};        ///< kv.block_tokens tokens, all layers, on one device
  std::int64_t fitting = 0;  ///< blocks that there is room for; 0 where nothing is left
  std::int64_t blocks = 0;   ///< as serving.kv_blocks gives them, or as many as fit
};

/// source  how vLLM sizes its cache: utilization x memory, less what a run at max_num_batched_tokens took
/// that
///         samples max_num_seqs rows (gpu_worker.py, determine_available_memory)
KvBudget kv_budget(const Case& c, const Structure& structure);

}  // namespace inferometer
