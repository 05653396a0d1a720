#pragma once
#include "traffic/spec.hpp"
#include "traffic/trace.hpp"

namespace inferometer {

/// The requests that a spec describes.
///
/// trace   of the spec's file; without a file an empty one
/// errors  arrivals asked for that the trace does not have, nothing to draw from, drawn
/// lengths or
///         sessions on a file that has its own, times and prompts beyond any range
[[nodiscard]] Result<Traffic> make_traffic(const TrafficSpec& spec, RequestTrace trace, std::uint64_t seed);

}  // namespace inferometer
