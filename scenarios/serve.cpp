#include "scenarios/serve.hpp"

#include <algorithm>
#include <chrono>

#include "model/memory.hpp"
#include "simulator/serving/cost.hpp"
#include "simulator/serving/exchange_times.hpp"
#include "simulator/serving/predicted_timer.hpp"
#include "simulator/serving/profiled_timer.hpp"
#include "simulator/serving/server.hpp"
#include "simulator/serving/token_rate.hpp"

namespace inferometer {
namespace {

/// timers  as simulate() takes them for these settings
template <class Settings, class Timers>
Result<Served> serve(const Settings& settings, const Traffic& traffic, Timers& timers,
                     const ServiceLevel& level, const ServingProgress& progress) {
  const auto start = std::chrono::steady_clock::now();
  Result<ServingRun> run = simulate(settings, traffic, timers, progress);
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

/// The traffic at the load that the case asks for.
Result<std::shared_ptr<const Traffic>> arriving_at(const Case& c, std::shared_ptr<const Traffic> traffic) {
  if (c.serving.load == 1) return traffic;
  if (const double last = static_cast<double>(last_arrival(*traffic).count()); last / c.serving.load > 8e18)
    return failure("serving.load: so slowly the requests arrive over more than 250 years");
  return std::make_shared<const Traffic>(at_load(*traffic, c.serving.load));
}

/// How the caches that a prefill pool makes are sent: whole ones, however many devices share them.
Result<PooledServer::Transfer> transfer_of(const Case& c) {
  Plan undivided = c.plan;
  undivided.parallel = {};
  const Result<Structure> structure = compile(c.model(), undivided);
  if (!structure) return failure(structure.error());
  return PooledServer::Transfer{.block = kv_bytes(*structure, undivided, 1, c.plan.kv.block_tokens),
                                .layers = c.model().layers,
                                .latency = c.serving.kv_link.latency,
                                .overlap = c.serving.kv_link.overlap};
}

/// Steps that buckets hold are padded to them, those with prompts included, as vLLM's piecewise graphs do.
ProfiledEngine engine_of(const Case& c, ExchangeTimes& exchanges) {
  ProfiledEngine engine{.per_step = c.engine.per_step, .per_sequence = c.engine.per_sequence};
  if (c.plan.launch.graphs) engine.graph_sizes = c.plan.launch.batch_buckets;
  std::sort(engine.graph_sizes.begin(), engine.graph_sizes.end());
  if (c.plan.parallel.tensor > 1)
    engine.exchange = [&exchanges](const StepTotals& totals) { return exchanges.time(totals); };
  return engine;
}

/// What executed steps drew beyond the device's idle power.
struct Drawn {
  std::optional<Joules> above_idle;
  std::string why_not;
};

/// The device's mean power while the steps ran, over the time that they took. Between two steps the host
/// makes the next one, so that the mean is below what steps draw by themselves.
Drawn drawn_by(const DeviceWatch* watch, const Device& device, Nanoseconds busy) {
  if (watch == nullptr) return {{}, "the backend does not see what its device draws"};
  if (!device.idle_power) return {{}, device.name + " has no idle power"};
  const RunConditions seen = watch->conditions();
  if (!seen.mean_power) return {{}, "power while steps were executed: not available"};
  const Watts idle = device.idle_power->value;
  const Watts beyond{std::max(0.0, seen.mean_power->value - idle.value)};
  return {beyond * std::chrono::duration_cast<Seconds>(busy), ""};
}

void predict_as_found(const Case& c, const Structure& structure, const Calibration& calibration,
                      const ServerSettings& server, const MemoryReads& memory, ServingResult& result) {
  // The calibration looked at memory too, in files that say what the cache retains.
  const Device& device = c.cluster.device;
  if (!memory.enough() || calibration.level == Level::datasheet || !device.cache_retention) return;
  Case found = c;
  found.cluster.device.memory_bandwidth = {memory.rate, "read between the steps that were executed"};
  PredictedTimer timer(found, structure, calibration);
  Result<Served> served = serve(server, *result.traffic, timer, result.level, [](double) {});
  if (!served) return;  // as the first prediction would have been
  served->metrics.cost.not_known = "energy and cost: told of the first prediction only";
  result.as_found = {memory, std::move(*served)};
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
                                      const Calibration& calibration,
                                      const std::optional<StepProfile>& profile,
                                      std::shared_ptr<const Traffic> traffic, const ServiceLevel& level,
                                      const ServingProgress& progress) {
  const KvBudget budget = kv_budget(c, structure);
  const Result<ServerSettings> server = server_of(c, budget);
  if (!server) return failure(server.error());
  Result<std::shared_ptr<const Traffic>> arriving = arriving_at(c, std::move(traffic));
  if (!arriving) return failure(arriving.error());
  ServingResult result{.traffic = std::move(*arriving), .level = level, .budget = budget};
  PredictedTimer predicted(c, structure, calibration);
  ExchangeTimes exchanges(c, structure, calibration);
  std::optional<ProfiledTimer> profiled;
  if (profile) profiled.emplace(profile->layers, engine_of(c, exchanges));
  BatchTimer& timer = profiled ? static_cast<BatchTimer&>(*profiled) : predicted;
  Result<Served> served = serve(*server, *result.traffic, timer, level, progress);
  if (!served) return failure(served.error());
  result.predicted = std::move(*served);
  ServingMetrics& m = result.predicted.metrics;
  m.cost = profile ? cost_of(m, c, std::nullopt, "a profile of kernels does not say what they draw")
                   : cost_of(m, c, predicted.above_idle(), why_no_energy(c));
  return result;
}

Result<ServingResult> predict_pools(const Case& c, const std::vector<Pool>& pools,
                                    const Calibration& calibration, std::shared_ptr<const Traffic> traffic,
                                    const ServiceLevel& level, const ServingProgress& progress) {
  Result<std::shared_ptr<const Traffic>> arriving = arriving_at(c, std::move(traffic));
  if (!arriving) return failure(arriving.error());
  ServingResult result{.traffic = std::move(*arriving), .level = level};
  PooledServer server{.router = c.serving.router};
  std::vector<Structure> structures;
  std::vector<std::unique_ptr<PredictedTimer>> predicted;
  std::vector<BatchTimer*> timers;
  structures.reserve(pools.size());
  for (const Pool& pool : pools) {
    const auto refuse = [&](Errors why) {
      for (Error& e : why) e.message = "pool \"" + pool.name + "\": " + e.message;
      return failure(std::move(why));
    };
    Result<Structure> structure = compile(pool.edited.model(), pool.edited.plan);
    if (!structure) return refuse(structure.error());
    structures.push_back(std::move(*structure));
    const KvBudget budget = kv_budget(pool.edited, structures.back());
    if (&pool == &pools.front()) result.budget = budget;
    const Result<ServerSettings> alone = server_of(pool.edited, budget);
    if (!alone) return refuse(alone.error());
    server.pools.push_back({.name = pool.name,
                            .device = pool.edited.cluster.device.name,
                            .instance = alone->instance,
                            .replicas = pool.replicas,
                            .stages = alone->stages,
                            .ranks = alone->ranks,
                            .link = kv_link_of(pool.edited)});
    server.pools.back().instance.role = pool.role;
    predicted.push_back(std::make_unique<PredictedTimer>(pool.edited, structures.back(),
                                                         pool.calibration ? *pool.calibration : calibration));
    timers.push_back(predicted.back().get());
    if (pools.size() > 1 && rule_of(c.serving.router).looks) {
      PoolSettings& weighed = server.pools.back();
      const auto time = [&](const StepTotals& step) { return predicted.back()->predict(step); };
      weighed.per_token = time_per_token(weighed, *result.traffic, time).count();
    }
    if (pool.role == PoolRole::prefill && server.transfer.block == Bytes{0}) {
      const Result<PooledServer::Transfer> transfer = transfer_of(pool.edited);
      if (!transfer) return refuse(transfer.error());
      server.transfer = *transfer;
    }
  }
  Result<Served> served = serve(server, *result.traffic, timers, level, progress);
  if (!served) return failure(served.error());
  result.predicted = std::move(*served);
  std::vector<CostedReplicas> costed;
  for (std::size_t p = 0; p < pools.size(); ++p)
    costed.push_back({pools[p].edited, predicted[p]->above_idle(), why_no_energy(pools[p].edited)});
  ServingMetrics& m = result.predicted.metrics;
  m.cost = cost_of(m, costed);
  return result;
}

void tell_exchanges(ServingRun& run, const Case& c, const std::vector<Pool>& pools,
                    const Calibration& calibration) {
  const auto tell = [](PoolRun& of, const Case& settings, const Calibration& known) {
    const Result<Structure> structure = compile(settings.model(), settings.plan);
    require(structure.has_value(), "a plan that was served does not compile");
    ExchangeTimes(settings, *structure, known).tell(of.spans.spans());
  };
  if (pools.empty()) return tell(run, c, calibration);
  for (std::size_t p = 0; p < pools.size(); ++p)
    tell(pools.size() == 1 ? run : run.pools[p], pools[p].edited, pools[p].calibration.value_or(calibration));
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
  backend.begin_memory_reads();
  BatchTimer& timer = reused ? static_cast<BatchTimer&>(some) : every;
  const std::unique_ptr<DeviceWatch> watch = backend.watch();
  if (watch) watch->begin();
  Result<Served> served = serve(*server, *result.traffic, timer, result.level, progress);
  if (watch) watch->end();
  const std::optional<MemoryReads> found = backend.end_memory_reads();
  if (!served) return failure(served.error());
  result.executed = std::move(*served);
  ServingMetrics& m = result.executed->metrics;
  const Drawn drawn = drawn_by(watch.get(), c.cluster.device, result.executed->run.busy);
  m.cost = cost_of(m, c, drawn.above_idle, drawn.why_not);
  StepPredictor predictor(c, structure, calibration);
  result.durations = durations;
  for (const ExecutedTimer::Executed& e : reused ? some.steps() : every.steps())
    result.steps.push_back({e.totals, predictor.time(e.totals), e.time});
  if (found) predict_as_found(c, structure, calibration, *server, *found, result);
  return std::monostate{};
}

}  // namespace inferometer
