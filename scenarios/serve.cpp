#include "scenarios/serve.hpp"

#include <algorithm>
#include <chrono>

#include "simulator/serving/cost.hpp"
#include "simulator/serving/predicted_timer.hpp"
#include "simulator/serving/server.hpp"

namespace inferometer {
namespace {

Result<Served> serve(const ServerSettings& settings, const Traffic& traffic, BatchTimer& timer,
                     const ServiceLevel& level, const ServingProgress& progress) {
  const auto start = std::chrono::steady_clock::now();
  Result<ServingRun> run = simulate(settings, traffic, timer, progress);
  if (!run) return failure(run.error());
  Served served{.run = std::move(*run)};
  served.wall_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  served.metrics = metrics_of(served.run, traffic, level);
  return served;
}

/// Of the requests that wait for no other.
Nanoseconds last_arrival(const Traffic& traffic) {
  Nanoseconds last{0};
  for (const Request& r : traffic.requests) {
    if (r.after < 0) last = std::max(last, r.arrival);
  }
  return last;
}

}  // namespace

Traffic at_load(const Traffic& traffic, double load) {
  Traffic faster = traffic;
  for (Request& r : faster.requests) {
    if (r.after < 0)
      r.arrival = Nanoseconds{static_cast<std::int64_t>(static_cast<double>(r.arrival.count()) / load)};
  }
  return faster;
}

Result<ServingResult> predict_serving(const Case& c, const Structure& structure,
                                      const Calibration& calibration, std::shared_ptr<const Traffic> traffic,
                                      const ServiceLevel& level, const ServingProgress& progress) {
  const KvBudget budget = kv_budget(c, structure);
  const Result<ServerSettings> server = server_of(c, budget);
  if (!server) return failure(server.error());
  if (c.serving.load != 1) {
    if (const double last = static_cast<double>(last_arrival(*traffic).count()); last / c.serving.load > 8e18)
      return failure("serving.load: so slowly the requests arrive over more than 250 years");
    traffic = std::make_shared<const Traffic>(at_load(*traffic, c.serving.load));
  }
  ServingResult result{.traffic = std::move(traffic), .level = level, .budget = budget};
  PredictedTimer timer(c, structure, calibration);
  Result<Served> served = serve(*server, *result.traffic, timer, level, progress);
  if (!served) return failure(served.error());
  result.predicted = std::move(*served);
  ServingMetrics& m = result.predicted.metrics;
  m.cost = cost_of(m, c, timer.above_idle(), why_no_energy(c));
  return result;
}

Done execute_serving(const Case& c, const Structure& structure, const Calibration& calibration,
                     Backend& backend, StepDurations durations, ServingResult& result,
                     const ServingProgress& progress) {
  if (c.serving.replicas != 1)
    return failure("serving.replicas: one is executed, not " + std::to_string(c.serving.replicas));
  if (c.plan.parallel.pipeline > 1) return failure("parallel.pipeline: steps are executed on one device");
  if (c.plan.parallel.data > 1) return failure("parallel.data: steps are executed on one device");
  const Result<ServerSettings> server = server_of(c, result.budget);
  if (!server) return failure(server.error());
  const std::unique_ptr<StepTimer> steps = backend.timer();
  ExecutedTimer every(*steps, result.budget.blocks, c.plan.kv.block_tokens, c.model().vocab, c.draws.seed);
  ReusedTimer some(every);
  const bool reused = durations == StepDurations::reused;
  BatchTimer& timer = reused ? static_cast<BatchTimer&>(some) : every;
  Result<Served> served = serve(*server, *result.traffic, timer, result.level, progress);
  if (!served) return failure(served.error());
  result.executed = std::move(*served);
  ServingMetrics& m = result.executed->metrics;
  m.cost = cost_of(m, c, std::nullopt, "energy of executed steps is not measured");
  StepPredictor predictor(c, structure, calibration);
  result.durations = durations;
  for (const ExecutedTimer::Executed& e : reused ? some.steps() : every.steps())
    result.steps.push_back({e.totals, predictor.time(e.totals), e.time});
  return std::monostate{};
}

}  // namespace inferometer
