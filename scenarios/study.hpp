#pragma once
#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "model/backend.hpp"
#include "scenarios/beside.hpp"
#include "scenarios/scenario.hpp"
#include "scenarios/serve.hpp"
#include "simulator/predict.hpp"

namespace inferometer {

/// One kind of step of a run: the prefill, or the decode steps, of which the middle one stands for all in
/// node tables.
struct PhaseResult {
  std::string name;                 ///< "prefill" or "decode"
  std::int64_t steps = 1;           ///< so many steps of this kind
  Features features;                ///< of the step that stands for them
  Features run;                     ///< those with what pads it: they decide what shares a kernel
  Seconds predicted{0};             ///< mean over the steps
  std::optional<Joules> energy;     ///< mean over the steps, of all devices of the instance, predicted
  Prediction prediction;            ///< of the step that stands for them
  std::optional<Samples> measured;  ///< of a step, over repeats (untraced)
  std::optional<RunConditions> conditions;  ///< while those ran, where the backend sees its device
  std::optional<Timeline> profile;  ///< the step that stands for them, node by node (median over repeats)
  std::optional<BesideTimes> beside_predicted,
      beside_measured;  ///< of that step, where a copy runs beside it

  /// New tokens of a step, of all replicas of attention that step together.
  std::int64_t tokens() const { return std::max(features.tokens, features.group_tokens); }
  /// Whether the device ran below its clocks while this was measured.
  bool throttled() const { return conditions && conditions->throttles && !conditions->throttles->empty(); }
};

struct VariantResult {
  std::string name;
  std::vector<std::string> optimizations;
  std::vector<Edit> edits;
  Case settings;
  std::vector<Pool> pools;  ///< that served the traffic, where there are several
  Structure structure;
  MemoryUse memory;                      ///< predicted
  std::optional<MemoryUse> memory_used;  ///< allocated by the backend
  std::vector<PhaseResult> phases;       ///< of the workload; none with traffic
  std::optional<ServingResult> serving;  ///< with traffic
  std::string not_served;                ///< why, where traffic could not be served
  std::string not_measured;              ///< why, where there is no measurement

  Seconds predicted_total() const;                ///< all steps
  std::optional<Seconds> measured_total() const;  ///< all steps, from medians
};

/// What a report must say about how it was made.
struct Provenance {
  std::string version, revision, machine, operating_system, compiler, date;
  std::string backend, device, calibration, tuning;  ///< calibration, tuning: file and hash, or "none"
  Level level = Level::datasheet;
  std::map<std::string, std::string> more;  ///< driver, clocks, threads, ...
};

struct StudyResult {
  Scenario scenario;
  Provenance provenance;
  std::vector<VariantResult> variants;  ///< the baseline first
};

/// Called as work goes on: what is being done, and how far (0..1).
using Progress = std::function<void(const std::string& what, double fraction)>;

/// Predicts every variant and, where `backend` is given, executes each. `why_not` says why there is no
/// backend.
[[nodiscard]] Result<StudyResult> run_study(const Scenario& scenario, const Calibration& calibration,
                                            Backend* backend, const std::string& why_not,
                                            const Progress& progress);

/// Predicts one run of a scenario and executes nothing. A run that the traffic's server has no room for says
/// so in `not_served`.
[[nodiscard]] Result<VariantResult> predict_run(const Variant& run, const Scenario& scenario,
                                                const Calibration& calibration);

/// One timeline whose spans, and gaps between them, have the medians of the runs'.
/// requires runs of one graph, each with the same spans
Timeline median_timeline(const std::vector<Timeline>& runs);

/// The steps of a workload: the prefill, then output_tokens - 1 decode steps. Token ids are drawn from the
/// seed for prompts; decode tokens are left empty for the caller to fill with what the step before gave.
std::vector<Step> workload_steps(const Case& c);

}  // namespace inferometer
