#pragma once
#include <functional>

#include "model/step.hpp"
#include "model/traffic.hpp"
#include "simulator/serving/simulate.hpp"

namespace inferometer {

/// What a token takes a replica that is full of requests like the traffic's mean one, P tokens of prompt and
/// O of output: how routers tell fast instances from slow ones.
///   (P p + O d) / (P + O)   p: a token of a step of max_num_batched_tokens tokens of such prompts
///                           d: a token of a decode step of as many such sequences, half way through their
///                              output, as max_num_seqs and the cache allow
/// An instance that only computes prompts takes p, one that only decodes d. The stages of a pipeline work at
/// the same time, each on a batch of its own of those sequences; replicas of attention have as many each.
///
/// time  of a step on all stages of an instance, one after the other
Seconds time_per_token(const PoolSettings& pool, const Traffic& traffic,
                       const std::function<Nanoseconds(const StepTotals&)>& time);

}  // namespace inferometer
