#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "model/backend.hpp"
#include "model/kv_capacity.hpp"
#include "roofline/calibration.hpp"
#include "scenarios/scenario.hpp"
#include "simulator/serving/metrics.hpp"
#include "simulator/serving/reused_timer.hpp"
#include "simulator/serving/simulate.hpp"

namespace inferometer {

/// A run of the serving loop.
struct Served {
  ServingRun run;
  ServingMetrics metrics;
  double wall_s = 0;  ///< that the run took here
};

/// What a Case does with its traffic, by prediction and, where it was executed, by running every step.
struct ServingResult {
  std::shared_ptr<const Traffic> traffic;  ///< as it arrived
  ServiceLevel level;
  KvBudget budget;  ///< of an instance; with pools, of the first one's
  Served predicted;
  std::optional<Served> executed;
  /// Predicted again for a memory that is read as fast as it was between the steps that were executed; of
  /// devices whose file tells the same of the steps that it was calibrated by.
  struct AsFound {
    MemoryReads memory;
    Served predicted;
  };
  std::optional<AsFound> as_found;
  struct StepPair {
    StepTotals totals;
    Nanoseconds predicted{0}, executed{0};
  };
  StepDurations durations = StepDurations::executed;
  std::vector<StepPair> steps;  ///< that were executed, each beside its prediction
};

/// The same requests, arriving `load` times as fast; infinity: all at once.
Traffic at_load(const Traffic& traffic, double load);

/// Serves the traffic with predicted steps.
///
/// profile  kernels that were measured, instead of the kernel models; devices that share layers exchange in
///          the time that the models say
[[nodiscard]] Result<ServingResult> predict_serving(const Case& c, const Structure& structure,
                                                    const Calibration& calibration,
                                                    const std::optional<StepProfile>& profile,
                                                    std::shared_ptr<const Traffic> traffic,
                                                    const ServiceLevel& level,
                                                    const ServingProgress& progress);

/// The same with pools, each with its own device and settings. Routing and load are those of `c`, latency and
/// overlap of transfers those of the first prefill pool.
///
/// calibration  of pools on the scenario's device
[[nodiscard]] Result<ServingResult> predict_pools(const Case& c, const std::vector<Pool>& pools,
                                                  const Calibration& calibration,
                                                  std::shared_ptr<const Traffic> traffic,
                                                  const ServiceLevel& level, const ServingProgress& progress);

/// What of steps their devices take to exchange, told to the spans of a run.
void tell_exchanges(ServingRun& run, const Case& c, const std::vector<Pool>& pools,
                    const Calibration& calibration);

/// The same loop with executed steps, on one replica: all of them, or one of each kind. Each executed step is
/// predicted too.
///
/// requires  backend prepared for prepared_for(c, result.budget.blocks)
/// errors    those of the backend; more replicas, stages or replicas of attention than one
[[nodiscard]] Done execute_serving(const Case& c, const Structure& structure, const Calibration& calibration,
                                   Backend& backend, StepDurations durations, ServingResult& result,
                                   const ServingProgress& progress);

}  // namespace inferometer
