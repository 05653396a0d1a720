#pragma once
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "cli/commands.hpp"
#include "model/backend.hpp"
#include "model/tuning.hpp"
#include "scenarios/step_grid.hpp"
#include "scenarios/study.hpp"

namespace inferometer {

/// Prints errors on stderr and returns their exit code.
int tell(const Errors& errors, ExitCode code);

/// Shows what is going on, on stderr and only on a terminal.
Progress terminal_progress(const std::string& title);

/// The folder of shipped presets and of calibrations: beside an installed binary, or in the source tree it
/// was built from.
Library find_library();

/// N of "cuda:N".
std::optional<int> cuda_device(const std::string& name);

/// A backend by name, or why there is none.
struct FoundBackend {
  std::unique_ptr<Backend> backend;
  std::string why_not;
  std::map<std::string, std::string> facts = {};  ///< what reports say of it: GPU, driver, ...
  /// Of a GPU, as the driver says; 0: not known.
  std::int64_t processors = 0;
  Bytes memory{0};
  /// Why profiles have no hardware counters; empty where they have. Asked after the work.
  std::function<std::string()> why_no_counters = [] { return "this backend has none"; };
};
/// counters: whether profiles read hardware counters
FoundBackend find_backend(const std::string& name, const std::string& weights, const Tuning& tuning = {},
                          bool counters = false);

/// Executes a grid of steps on a backend that is the device; its facts say on what machine it was, and what
/// was not measured and why. traces: of each step   title: of the progress
Done execute_grid(StepGrid& grid, const Device& device, const std::string& backend, int traces,
                  const std::string& title);

/// What is wrong with a checkpoint, or does not suit the case that is to run with it; nothing where `weights`
/// is empty.
Errors check_weights(const std::string& weights, const Case& c);

/// Version, machine, compiler: what a report says about how it was made.
Provenance provenance();

/// Median error of its own points beyond which a calibration was made on a busy machine; 10 to 20 %
/// otherwise.
inline constexpr double poor_fit = 0.35;

/// The device `name`; a missing or badly fitted `host` is calibrated first, quickly, and that is said.
Result<Device> device_or_calibrate(const Context& context, const std::string& name);

/// The case that `predict` and `graph` speak of, with optimizations and settings applied.
Result<Case> case_of(const Context& context, const PredictOptions& options);
/// The one step that `predict` and `graph` speak of.
Result<Features> features_of(const PredictOptions& options);

}  // namespace inferometer
