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
  return decodes(features);
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

/// What is run for a step of `features`: as many sequences as its recorded graph has.
inline Features padded(const Features& features, const Plan& plan) {
  const std::int64_t extra = padding_sequences(features, plan);
  Features wider = features;
  wider.sequences += extra;
  wider.tokens += extra;
  wider.logit_rows += extra;
  wider.slices.insert(wider.slices.end(), static_cast<std::size_t>(extra), AttentionSlice{1, 0});
  return wider;
}

}  // namespace inferometer
