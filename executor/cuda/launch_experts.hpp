#pragma once
#include "executor/cuda/launch_node.hpp"

namespace inferometer::cuda {

/// What the kernels need of the rule; its arrays are left to the caller.
RouterArguments routing_rule(const Router& op);
/// Chooses each token's experts, and groups the choices by expert for the products behind.
void route_and_group(const NodeContext& c, const RouterArguments& a);

/// The product of a mixture's experts, with its operands on the device.
struct ExpertCall {
  const ExpertLinear& op;
  const Constant& w;
  const float* x_scale = nullptr;  ///< of fp8 inputs
  const float* bias = nullptr;     ///< [experts, out]
  const void* x = nullptr;
  std::int64_t x_stride = 0;  ///< elements
  Out y;
};
/// One launch or one per expert, as the operator says. The latter waits until the device has told how many
/// tokens each expert has, so that it cannot be recorded.
/// From the first products of a mixture to the last, rows of assignments lie in the order of groups.pairs.
[[nodiscard]] Done multiply_experts(const NodeContext& c, const ExpertCall& call);

}  // namespace inferometer::cuda
