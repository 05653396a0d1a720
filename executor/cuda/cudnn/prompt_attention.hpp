#pragma once
#include <memory>
#include <span>
#include <string>

#include "executor/cuda/kernels/kernels.hpp"
#include "model/result.hpp"

namespace inferometer::cuda {

/// Keys and values as they were computed and rotated, one row per new token; nothing is read of the cache.
/// q, y [tokens, heads * head_dim]   k, v [tokens, kv_heads * head_dim]
struct PromptArguments {
  In q, k, v;
  Out y;
  std::int32_t heads = 0, kv_heads = 0, head_dim = 0;
  std::int32_t window = 0;  ///< 0: none
  float scale = 1.0F;
};

/// y = softmax(scale q kᵀ) v of whole prompts, causal, by cuDNN: one launch for each run of neighbouring
/// prompts of one length. The first launch of a shape compiles a plan for it, on the host, and may allocate.
class PromptAttention {
 public:
  virtual ~PromptAttention() = default;
  /// requires several tokens and none cached in each of `prompts`, heads of 64 or 128, rows that can be read
  /// 16 bytes at a time
  [[nodiscard]] virtual Done attend(const PromptArguments& a, std::span<const Sequence> prompts,
                                    cudaStream_t stream) = 0;
};

/// On the current device.
[[nodiscard]] Result<std::unique_ptr<PromptAttention>> open_cudnn();
/// What was missing when this was built; empty where nothing was.
std::string cudnn_missing();
/// Of the library that is loaded, such as "9.14.0"; empty where something was missing.
std::string cudnn_version();

}  // namespace inferometer::cuda
