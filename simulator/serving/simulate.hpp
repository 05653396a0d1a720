#pragma once
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

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

/// A pool: instances that are alike.
struct PoolSettings {
  std::string name, device;  ///< for reports
  InstanceSettings instance;
  std::int64_t replicas = 1;
  std::int64_t stages = 1, ranks = 1;  ///< as ServerSettings has them
  BytesPerSecond link{0};  ///< what an instance (each replica of attention) sends, or receives, of caches
  double per_token = 1;    ///< as ReplicaLoad has it
};

/// A server of several pools behind one router. Requests go to instances of role prefill and both; from a
/// prefill instance their caches go to a decode instance that the same rule chooses.
struct PooledServer {
  std::vector<PoolSettings> pools;
  ReplicaRouter router = ReplicaRouter::round_robin;
  struct Transfer {
    Bytes block{0};           ///< of the cache, all layers
    std::int64_t layers = 1;  ///< that hold it
    Seconds latency{0};
    KvOverlap overlap = KvOverlap::none;
  } transfer;
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

/// The same over pools. Of what happens at one instant, transfers of caches end last.
///
/// A decode instance is chosen, and room on it asked for, when the step that computes the last of a prompt
/// begins (overlap: layers) or ends (none), so that no room is kept for a prompt that waits for blocks
/// itself. The transfer begins when there is room and both links are free; the sender's blocks are held until
/// it ends. A request that no instance of each kind can hold is rejected when it arrives.
///
/// timers    one a pool
/// requires  prefill pools and decode pools together, or neither, with blocks of the same size and one stage
[[nodiscard]] Result<ServingRun> simulate(const PooledServer& server, const Traffic& traffic,
                                          std::span<BatchTimer* const> timers,
                                          const ServingProgress& progress = {});

}  // namespace inferometer
