#pragma once
#include "executor/cuda/kernels/products.hpp"
#include "executor/cuda/node_views.hpp"

namespace inferometer::cuda {

/// A product that multiply() and multiply_joined() run; a router's that is joined runs in norm_route().
bool is_product(const StructureNode& node);

/// The product of a node, with its bias, or with the residual norm or gated activation that is joined behind
/// it, and of rows that the norm before left to be scaled.
[[nodiscard]] Done multiply(const NodeViews& views, const Linear& o);
/// The product that is joined behind a node, of what the prologue makes of that node's first operand.
/// requires one token
[[nodiscard]] Done multiply_joined(const NodeViews& views, const Prologue& prologue);

}  // namespace inferometer::cuda
