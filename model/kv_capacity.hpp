#pragma once
#include "model/case.hpp"
#include "model/structure.hpp"

namespace inferometer {

/// How an engine divides a device's memory. What is left after weights, the largest step and what the engine
/// keeps to itself is the KV cache.
struct KvBudget {
  Bytes usable{0};       ///< of the device's memory, serving.gpu_memory_utilization_percent
  Bytes weights{0};      ///< on one device
  Bytes activations{0};  ///< of a step of max_num_batched_tokens new tokens, logits of max_num_seqs of them
  Bytes reserve{0};      ///< Engine::memory_reserve
  Bytes block{0};        ///< kv.block_tokens tokens, all layers, on one device
  std::int64_t blocks = 0;  ///< as the plan gives them, or as many as fit; 0 where nothing is left
};

/// source  how vLLM sizes its cache: utilization x memory, less what a run at max_num_batched_tokens took
KvBudget kv_budget(const Case& c, const Structure& structure);

}  // namespace inferometer
