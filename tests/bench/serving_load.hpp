#pragma once
#include <memory>
#include <random>

#include "scenarios/scenario.hpp"
#include "simulator/serving/predicted_timer.hpp"
#include "simulator/serving/server.hpp"

// What the serving loop is timed with: requests of ShareGPT-like lengths, 30 a second for each replica.

namespace inferometer {

inline Traffic poisson_traffic(std::int64_t requests, std::int64_t replicas) {
  std::mt19937_64 random(1);
  std::exponential_distribution<double> gap(30.0 * static_cast<double>(replicas));  // requests/s
  std::lognormal_distribution<double> prompt(5.2, 0.9), output(5.1, 0.8);
  Traffic traffic;
  double now = 0;
  for (std::int64_t i = 0; i < requests; ++i) {
    now += gap(random);
    traffic.requests.push_back({.arrival = to_ticks(Seconds{now}),
                                .prompt_tokens = 1 + static_cast<std::int32_t>(prompt(random)),
                                .output_tokens = 1 + static_cast<std::int32_t>(output(random))});
  }
  return traffic;
}

/// Llama-3.1-8B on H200s, without a calibration.
struct PredictedServer {
  Case settings;
  Structure structure;
  Calibration calibration;
  ServerSettings server;

  explicit PredictedServer(std::int64_t replicas) {
    const Library library{.root = std::filesystem::path{INFEROMETER_SOURCE} / "scenarios", .calibration = {}};
    settings.models["model"] = *load_model("llama-3.1-8b", library);
    settings.cluster.device = *load_device("h200-sxm", library);
    settings.plan.fusion = {.qkv = true, .gate_up = true, .residual_norm = true, .rope_kv = true};
    settings.plan.launch.graphs = true;
    settings.serving.replicas = replicas;
    structure = *compile(settings.model(), settings.plan);
    server = *server_of(settings, kv_budget(settings, structure));
  }
  /// A cold predictor each time.
  ServingRun serve(const Traffic& traffic) const {
    PredictedTimer timer(settings, structure, calibration);
    return *simulate(server, traffic, timer);
  }
};

/// What the loop handles one by one: arrivals and steps, jumped ones included.
inline std::int64_t events_of(const ServingRun& run) {
  return static_cast<std::int64_t>(run.requests.size()) + run.steps;
}
inline double utilisation_of(const ServingRun& run) {
  return std::chrono::duration<double>(run.busy) / std::chrono::duration<double>(run.end) /
         static_cast<double>(run.instances);
}

}  // namespace inferometer
