#pragma once
#include "model/result.hpp"
#include "model/structure.hpp"
#include "model/timeline.hpp"
#include "profiler/trace_records.hpp"

namespace inferometer {

/// The kernels of a step as spans of the nodes that launched them, by correlation or graph node ids and
/// nothing else, from the first kernel's start. A copy beside the step (copy_node) is left out.
///
/// run     features of the step as it was run (padded), which decide what nodes share a kernel
/// errors  a kernel that no node launched, records that were dropped, times that are zero or run backwards: a
///         profile with a remainder is not one
[[nodiscard]] Result<Timeline> attribute(const Trace& trace, const Structure& structure, const Features& run);

}  // namespace inferometer
