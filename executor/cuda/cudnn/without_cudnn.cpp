#include "executor/cuda/cudnn/prompt_attention.hpp"

namespace inferometer::cuda {

Result<std::unique_ptr<PromptAttention>> open_cudnn() {
  return failure("cuda: cuDNN attention is not built: " + cudnn_missing());
}
std::string cudnn_missing() { return INFEROMETER_CUDNN_MISSING; }
std::string cudnn_version() { return ""; }

}  // namespace inferometer::cuda
