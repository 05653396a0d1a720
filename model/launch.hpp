#pragma once
#include <algorithm>

#include "model/plan.hpp"
#include "model/step.hpp"

namespace inferometer {

/// Whether a step is replayed from a recorded graph: decode steps are, whose shape is one of a few; steps
/// with prompts are launched eagerly, as engines do.
inline bool recorded(bool decodes, const Plan& plan) {
  // The naive kernel's launches depend on how long each sequence is.
  if (!plan.launch.graphs || plan.kernels.attention == AttentionKernel::naive) return false;
  return decodes;
}
inline bool recorded(const Features& features, const Plan& plan) { return recorded(decodes(features), plan); }
inline bool recorded(const StepTotals& totals, const Plan& plan) {
  return recorded(totals.attended.prompts.count == 0, plan);
}

/// Sequences of one token that fill a recorded step up to its bucket; 0 where no bucket is wide enough.
inline std::int64_t padding_sequences(std::int64_t sequences, bool is_recorded, const Plan& plan) {
  if (!is_recorded) return 0;
  std::int64_t bucket = 0;
  for (const std::int64_t b : plan.launch.batch_buckets) {
    if (b >= sequences && (bucket == 0 || b < bucket)) bucket = b;
  }
  return bucket == 0 ? 0 : bucket - sequences;
}
inline std::int64_t padding_sequences(const Features& features, const Plan& plan) {
  return padding_sequences(features.sequences, recorded(features, plan), plan);
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
inline StepTotals padded(const StepTotals& totals, const Plan& plan) {
  const std::int64_t extra = padding_sequences(totals.sequences(), recorded(totals, plan), plan);
  StepTotals wider = totals;
  wider.attended.single.count += extra;
  wider.attended.single.fresh += extra;
  wider.attended.single.all += extra;
  wider.logit_rows += extra;
  return wider;
}

}  // namespace inferometer
