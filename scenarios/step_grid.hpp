#pragma once
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "model/copy_beside.hpp"
#include "model/memory.hpp"
#include "model/timeline.hpp"
#include "scenarios/scenario.hpp"

namespace inferometer {

/// What the nodes that share a kernel took in a step whose kernels were traced.
struct MeasuredKernel {
  std::size_t first = 0, last = 0;  ///< nodes
  Seconds exposed{0};               ///< by which the step ends later for it (exposed_times())
  Seconds gap{0};                   ///< before it, in which nothing ran
};

/// One step that was executed.
struct MeasuredStep {
  Seconds median{0}, p10{0}, p90{0};    ///< of the whole step, untraced
  std::int64_t runs = 0;                ///< that those are of
  std::vector<MeasuredKernel> kernels;  ///< traced, in the order of their starts
  bool throttled = false;               ///< the device ran below its clocks
  std::optional<double> clock;          ///< of its multiprocessors meanwhile, as part of their top clock
};

/// One step, as "16x1+1024": 16 sequences of 1 new token each behind 1024 cached ones. Sequences that are not
/// alike are joined by " & ".
struct GridStep {
  std::string text;
  std::vector<AttentionSlice> slices;
  std::optional<MeasuredStep> measured;
};

/// Steps of one network under one plan.
struct GridRun {
  std::string model, plan, format;
  std::vector<Edit> edits;  ///< under `set:`
  Case settings;            ///< with a workload that has room for each of the steps
  std::vector<GridStep> steps;
  std::optional<MemoryUse> memory_used;  ///< by the backend, before the first step
};

/// A copy of the kind that runs beside steps, alone.
struct GridCopy {
  CopyBeside copy;
  std::optional<Seconds> measured;  ///< median
};

/// Whole steps to execute, or that were.
struct StepGrid {
  std::string device;  ///< that it is for
  std::map<std::string, std::vector<Edit>> plans;
  std::vector<GridRun> runs;
  std::vector<GridCopy> copies;
  std::map<std::string, std::string> facts;  ///< of the measurement: date, GPU, driver, ...
};

/// Reads a grid, measured or not:
///   plans: {NAME: {SETTING: VALUE, ...}, ...}
///   steps: {NAME: ["16x1+1024", ...], ...}      a list may name those before it
///   runs:
///     - {model: MODEL, set: {SETTING: VALUE, ...}, plans: [NAME, ...], formats: [none, OPTIMIZATION, ...],
///        steps: [NAME, "16x1+1024", ...]}                          each plan with each format
///   copies: [{bytes: 4 GiB, direction: within_device}, ...]           each alone; may be left out
/// In a measured grid a step is a mapping with what print_grid() writes, device: names what it was measured
/// on, and facts: says how.
///
/// device  that all runs are for
/// errors  all at file:line:column
[[nodiscard]] Result<StepGrid> read_grid(const std::string& text, const std::filesystem::path& file,
                                         const Device& device, const Library& library);

/// The text of a grid with what was measured; it reads back to the same.
std::string print_grid(const StepGrid& grid);

Features features(const GridStep& step);
/// The step with seeded tokens; each sequence has blocks of its own.
Step step_of(const GridStep& step, const Case& c);

}  // namespace inferometer
