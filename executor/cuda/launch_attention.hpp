#pragma once
#include "executor/cuda/node_views.hpp"

namespace inferometer::cuda {

/// Rotary embedding in place, with the cache write, or that and decode attention, where they are joined
/// behind it.
[[nodiscard]] Done turn(const NodeViews& views, const RopeApply& o);
[[nodiscard]] Done write_cache(const NodeViews& views, const KvWrite& o);
/// Each sequence by the kernel for its number of new tokens, or as the plan says.
[[nodiscard]] Done attend(const NodeViews& views, const Attention& o);

}  // namespace inferometer::cuda
