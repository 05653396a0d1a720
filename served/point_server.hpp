#pragma once
#include "model/traffic.hpp"
#include "served/deployment.hpp"
#include "served/engine_profile.hpp"
#include "simulator/serving/predicted_timer.hpp"
#include "simulator/serving/server.hpp"

namespace inferometer {

/// Means over requests, as a client sees them.
struct ServedTimes {
  Seconds ttft{0}, tpot{0};
};

/// As serving benchmarks ask: clients that all begin at once, and each send a request when their last one has
/// ended, `delay` later; ten requests a client, all counted. Lengths are nearly equal, so that the clients'
/// common start is seen in every round: those who wait for their first token wait for one another.
///
/// shortest_percent  lengths are uniform between so many percent of the stated ones and those
/// source            InferenceX: as many prompts as ten times the concurrency, random lengths, no rate
Traffic closed_loop(const ServingPoint& point, std::int64_t shortest_percent, Seconds delay);

/// A deployment under the points that were measured on it; what one point makes known of steps serves the
/// others.
class PointServer {
 public:
  /// requires  the deployment to outlive it
  PointServer(const Deployment& deployment, const Calibration& calibration)
      : server_(server_of(deployment.settings, kv_budget(deployment.settings, deployment.structure))),
        timer_(deployment.settings, deployment.structure, calibration) {}

  /// errors  no room for the cache, requests that are longer than it
  [[nodiscard]] Result<ServedTimes> serve(const ServingPoint& point, std::int64_t shortest_percent,
                                          const EngineProfile& profile);

 private:
  Result<ServerSettings> server_;
  PredictedTimer timer_;
};

}  // namespace inferometer
