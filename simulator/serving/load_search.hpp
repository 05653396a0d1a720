#pragma once
#include <functional>

#include "model/result.hpp"
#include "simulator/serving/metrics.hpp"

namespace inferometer {

/// What the traffic does at so many times its own rate; infinity: all requests arrive at once.
using LoadProbe = std::function<Result<ServingMetrics>(double load)>;

struct LoadSearch {
  double attainment = 0.9;      ///< part of the requests that must be within the service level
  double tolerance = 0.01;      ///< the load beyond the edge is at most so much above it
  double slowest = 1.0 / 1024;  ///< load below which none is looked for; below 1
};

/// Up to which load a service level is met.
struct LoadEdge {
  enum class Kind {
    edge,        ///< met at `load`, missed at `beyond`
    always_met,  ///< even with all requests at once: there are too few of them to tell
    never_met    ///< not even at the slowest load
  } kind = Kind::edge;
  double load = 0, beyond = 0;
  ServingMetrics met;     ///< at `load`; with all at once (always_met)
  ServingMetrics missed;  ///< at `beyond`; at the slowest load (never_met)
  int runs = 0;
  /// Loads near the edge that were met although above it, or missed although below. On a finite run the part
  /// of good requests does not fall with every step of the load.
  int out_of_order = 0;
};

/// Doubles or halves the load, from 1 on, until the level is met at one load and missed at the next; then
/// bisects. The last pair is the edge, of several the one that this finds. Two loads on each side of it, 2
/// and 5 tolerances away, say whether order holds there: they do not move the edge.
///
/// errors  those of the probe
/// source  the rate at which a part of the requests keeps the service level: goodput of DistServe,
///         arXiv 2401.09670
[[nodiscard]] Result<LoadEdge> search_load(const LoadProbe& probe, const LoadSearch& search);

}  // namespace inferometer
