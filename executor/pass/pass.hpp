#pragma once
#include <vector>

#include "executor/pass/sequence_blocks.hpp"
#include "model/graph.hpp"
#include "model/memory_plan.hpp"
#include "model/step.hpp"

namespace inferometer {

/// The cached state that steps may address.
struct CacheShape {
  std::int64_t blocks = 0, block_tokens = 0;
};

/// What of a step's slices the kernels read: one entry per new token, in the order of the slices.
struct StepInputs {
  std::vector<std::int32_t> tokens, positions;
  std::vector<std::int32_t> slots;       ///< block * block_tokens + place in it, where each token is cached
  std::vector<std::int32_t> logit_rows;  ///< rows of tokens whose logits are wanted
  std::vector<SequenceBlocks> sequences;

  std::int64_t last_position() const;
};

/// errors  token ids outside the vocabulary, block tables that are too short or name blocks that do not exist,
///         copies of blocks that do not exist
[[nodiscard]] Result<StepInputs> step_inputs(const Step& step, const CacheShape& cache, std::int64_t vocab);

/// One step, ready to run: what its kernels read, operators with their sizes, and where each buffer lies.
struct Pass {
  const Step* step = nullptr;
  StepInputs inputs;
  Features features;
  std::vector<AnyOperator> operators;  ///< of Structure::nodes
  MemoryPlan memory;
};
Pass pass_of(const Structure& structure, const Step& step, StepInputs inputs);

}  // namespace inferometer
