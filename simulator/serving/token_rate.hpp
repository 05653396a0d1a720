#pragma once
#include "model/traffic.hpp"
#include "simulator/serving/batch_timer.hpp"
#include "simulator/serving/instance.hpp"

namespace inferometer {

/// What a token takes an instance that is full of requests like the traffic's mean one, P tokens of prompt
/// and O of output: how routers tell fast instances from slow ones.
///   (P p + O d) / (P + O)   p: a token of a step of max_num_batched_tokens tokens of such prompts
///                           d: a token of a decode step of as many such sequences, half way through their
///                              output, as max_num_seqs and the cache allow
/// An instance that only computes prompts takes p, one that only decodes d.
///
/// errors  those of the timer
[[nodiscard]] Result<Seconds> time_per_token(const InstanceSettings& settings, const Traffic& traffic,
                                             BatchTimer& timer);

}  // namespace inferometer
