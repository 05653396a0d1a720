#pragma once
#include <string>
#include <vector>

#include "model/graph.hpp"
#include "roofline/kernels/kernel_call.hpp"

namespace inferometer {

/// One kernel of a step in the terms of the kernel models.
struct StepCall {
  std::string variant;  ///< of the call, with what else runs in the kernel: that has parameters of its own
  KernelCall call;
};

/// What the nodes of one kernel ask of a GPU. Attention over prompts and single tokens together is two calls,
/// one of each; all else is one. Attention over sequences that differ is that over as many alike, of their
/// mean lengths.
///
/// Products of one row, of few (up to 64) and of many are told apart, since kernels for them differ: the
/// first two stream weights, the last has tiles of both operands.
///
/// overlap  whether kernels are set up while the one before drains: what is short then shows less of itself
std::vector<StepCall> step_calls(const Graph& graph, const NodeRange& kernel, bool overlap);

}  // namespace inferometer
