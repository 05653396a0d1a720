#pragma once
#include <algorithm>

#include "model/plan.hpp"
#include "model/step.hpp"

namespace inferometer {

/// Whether a step is replayed from a recorded graph: decode steps are, whose shape is one of a few; steps
/// with prompts are launched eagerly, as engines do.
inline bool recorded(const Features& features, const Plan& plan) {
  // The naive kernel's launches depend on how long each sequence is.
  if (!plan.launch.graphs || plan.kernels.attention == AttentionKernel::naive) return false;
  return std::all_of(features.slices.begin(), features.slices.end(),
                     [](const AttentionSlice& s) { return s.fresh == 1; });
}

/// Sequences of one token that fill a recorded step up to its bucket; 0 where no bucket is wide enough.
inline std::int64_t padding_sequences(const Features& features, const Plan& plan) {
  if (!recorded(features, plan)) return 0;
  std::int64_t bucket = 0;
  for (const std::int64_t b : plan.launch.batch_buckets) {
    if (b >= features.sequences && (bucket == 0 || b < bucket)) bucket = b;
  }
  return bucket == 0 ? 0 : bucket - features.sequences;
}

}  // namespace inferometer
