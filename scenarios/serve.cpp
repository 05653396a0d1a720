#include "scenarios/serve.hpp"

#include <chrono>

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

}  // namespace

Traffic at_load(const Traffic& traffic, std::int64_t percent) {
  Traffic faster = traffic;
  for (Request& r : faster.requests) {
    if (r.after < 0)
      r.arrival =
          Nanoseconds{r.arrival.count() / percent * 100 + r.arrival.count() % percent * 100 / percent};
  }
  return faster;
}

Result<ServingResult> predict_serving(const Case& c, const Structure& structure,
                                      const Calibration& calibration, std::shared_ptr<const Traffic> traffic,
                                      const ServiceLevel& level, const ServingProgress& progress) {
  const KvBudget budget = kv_budget(c, structure);
  const Result<ServerSettings> server = server_of(c, budget);
  if (!server) return failure(server.error());
  if (c.serving.load_percent != 100)
    traffic = std::make_shared<const Traffic>(at_load(*traffic, c.serving.load_percent));
  ServingResult result{.traffic = std::move(traffic), .level = level, .budget = budget};
  PredictedTimer timer(c, structure, calibration);
  Result<Served> served = serve(*server, *result.traffic, timer, level, progress);
  if (!served) return failure(served.error());
  result.predicted = std::move(*served);
  return result;
}

Done execute_serving(const Case& c, const Structure& structure, const Calibration& calibration,
                     Backend& backend, ServingResult& result, const ServingProgress& progress) {
  if (c.serving.replicas != 1)
    return failure("serving.replicas: one is executed, not " + std::to_string(c.serving.replicas));
  if (c.plan.parallel.pipeline > 1) return failure("parallel.pipeline: steps are executed on one device");
  if (c.plan.parallel.data > 1) return failure("parallel.data: steps are executed on one device");
  const Result<ServerSettings> server = server_of(c, result.budget);
  if (!server) return failure(server.error());
  const std::unique_ptr<StepTimer> steps = backend.timer();
  ExecutedTimer timer(*steps, result.budget.blocks, c.plan.kv.block_tokens, c.model().vocab, c.draws.seed);
  Result<Served> served = serve(*server, *result.traffic, timer, result.level, progress);
  if (!served) return failure(served.error());
  result.executed = std::move(*served);
  StepPredictor predictor(c, structure, calibration);
  for (const ExecutedTimer::Executed& e : timer.steps())
    result.steps.push_back({e.totals, predictor.time(e.totals), e.time});
  return std::monostate{};
}

}  // namespace inferometer
