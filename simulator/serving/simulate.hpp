#pragma once
#include <functional>
#include <memory>

#include "simulator/serving/instance.hpp"

namespace inferometer {

/// The replicas of a server.
struct ServerSettings {
  InstanceSettings instance;
  std::int64_t replicas = 1;
  std::int64_t stages = 1;  ///< of the pipeline that each replica is
  std::int64_t ranks = 1;   ///< replicas of attention in each replica
  ReplicaRouter router = ReplicaRouter::round_robin;
};

/// Called a hundred times with the part of the requests that have ended.
using ServingProgress = std::function<void(double fraction)>;

/// Serves the traffic in virtual time: each replica runs steps as its policy chooses, and each step takes
/// what the timer says. The loop is the same for every timer.
///
/// order    what happens at one instant: arrivals first, in the order of the traffic, then ends of steps, in
///          the order in which they were begun
/// returns  every request ended or rejected
/// errors   those of the timer, and identities of prompts that are not whole blocks of the cache
/// cost     O(log replicas) a step beside the instance's own
[[nodiscard]] Result<ServingRun> simulate(const ServerSettings& settings, const Traffic& traffic,
                                          BatchTimer& timer, const ServingProgress& progress = {});

}  // namespace inferometer
