#pragma once
#include <string>
#include <vector>

#include "model/graph.hpp"
#include "model/step.hpp"
#include "roofline/fitting/launch_mode.hpp"
#include "roofline/kernels/kernel_call.hpp"

namespace inferometer {

/// One kernel of a step in the terms of the kernel models.
struct StepCall {
  std::string variant;  ///< of the call, with what else runs in the kernel: that has parameters of its own
  std::string alone;    ///< of the call by itself
  KernelCall call;
};

/// The kernel that attends single tokens.
struct SingleTokenKernel {
  bool executed =
      false;             ///< by the kernels that execute steps here: PagedDecode; otherwise as others have it
  bool appends = false;  ///< rotation and the cache's new entries in it
};
/// Attention over as many sequences that are alike, of the mean lengths.   requires sequences
KernelCall single_tokens(const Attention& op, const AttendedLengths& of, SingleTokenKernel kernel);
KernelCall prompts(const Attention& op, const AttendedLengths& of);

/// What the nodes of one kernel ask of a GPU. Attention over prompts and single tokens together is two calls,
/// one of each, attention that
/// writes its scores has one more for those; all else is one. Attention over sequences that differ is that
/// over as many alike, of their mean lengths.
///
/// Products of one row, of few (up to 64, of int4 weights 32) and of many are told apart, since kernels for
/// them differ: the first two stream weights, the last has tiles of both operands.
///
/// mode      where kernels are set up while the one before drains, what is short shows less of itself; more
///           of it where kernels are launched one by one, as those of steps with prompts are
/// executed  whether the models are of steps that were executed here
std::vector<StepCall> step_calls(const Graph& graph, const NodeRange& kernel, LaunchMode mode, bool executed);
/// Whether lower clocks of the multiprocessors slow a kernel down: products of tiles, attention of prompts.
bool multiplies(const KernelCall& call);
/// Whether the kernel is a library's, as products of many rows in bf16 and fp8 by themselves are: it is not
/// set up while the one before drains, nor is the one behind it while it drains.
bool of_library(const std::vector<StepCall>& kernel);
/// Whether attention rotates and appends by itself.
bool attention_appends(const Graph& graph, const NodeRange& kernel);

}  // namespace inferometer
