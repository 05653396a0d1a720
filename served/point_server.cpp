#include "served/point_server.hpp"

#include <algorithm>
#include <cmath>

#include "model/seeded.hpp"
#include "simulator/serving/metrics.hpp"

namespace inferometer {
namespace {

/// A client's next request is there when the next step has begun: no engine waits for it.
constexpr Seconds shortest_delay{1e-6};

/// Uniform in [0, 1).
double drawn(std::uint64_t key, std::int64_t index) {
  return 0.5 + 0.5 * static_cast<double>(seeded_uniform(key, static_cast<std::uint64_t>(index)));
}

/// Steps as predicted, with what the engine's host adds.
class EngineTimer final : public BatchTimer {
 public:
  EngineTimer(PredictedTimer& device, const EngineProfile& profile) : device_(device), profile_(profile) {}
  Result<Nanoseconds> time(const Batch& batch) override {
    const Result<Nanoseconds> device = device_.time(batch);
    if (!device) return device;
    return to_ticks(profile_.kernels * std::chrono::duration_cast<Seconds>(*device) + profile_.per_step);
  }
  Done stage_times(const Batch& batch, StageTimes& out) override {
    const Done done = device_.stage_times(batch, out);
    if (!done) return done;
    for (Nanoseconds& stage : out.stages)
      stage = to_ticks(profile_.kernels * std::chrono::duration_cast<Seconds>(stage));
    out.stages.front() += to_ticks(profile_.per_step);
    return done;
  }

 private:
  PredictedTimer& device_;
  const EngineProfile& profile_;
};

}  // namespace

Traffic closed_loop(const ServingPoint& point, std::int64_t shortest_percent, Seconds delay) {
  constexpr std::int64_t rounds = 10;
  constexpr std::uint64_t prompts = 1, outputs = 2;
  const double shortest = static_cast<double>(shortest_percent) / 100;
  const auto length = [&](std::int64_t stated, std::uint64_t key, std::int64_t index) {
    const double part = shortest + (1 - shortest) * drawn(key, index);
    return std::max(1, static_cast<std::int32_t>(std::lround(part * static_cast<double>(stated))));
  };
  Traffic traffic;
  traffic.client_delay = std::max(delay, shortest_delay);
  for (std::int64_t i = 0; i < rounds * point.concurrency; ++i) {
    Request r{.prompt_tokens = length(point.prompt_tokens, prompts, i),
              .output_tokens = length(point.output_tokens, outputs, i)};
    if (i >= point.concurrency) r.after = static_cast<std::int32_t>(i - point.concurrency);
    traffic.requests.push_back(r);
  }
  return traffic;
}

Result<ServedTimes> PointServer::serve(const ServingPoint& point, std::int64_t shortest_percent,
                                       const EngineProfile& profile) {
  if (!server_) return failure(server_.error());
  const Traffic traffic = closed_loop(point, shortest_percent, profile.per_request);
  EngineTimer timer(timer_, profile);
  const Result<ServingRun> run = simulate(*server_, traffic, timer);
  if (!run) return failure(run.error());
  for (const RequestRecord& r : run->requests) {
    if (r.rejected) return failure("a request is longer than the cache of an instance");
  }
  const ServingMetrics metrics = metrics_of(*run, traffic, {});
  return ServedTimes{.ttft = metrics.client_ttft.mean, .tpot = metrics.tpot.mean};
}

}  // namespace inferometer
