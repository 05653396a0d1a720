#include "scenarios/measure_steps.hpp"

#include <algorithm>
#include <chrono>

#include "scenarios/judge_steps.hpp"
#include "scenarios/measure_copies.hpp"
#include "scenarios/samples.hpp"

namespace inferometer {
namespace {

Seconds seconds(Nanoseconds t) { return std::chrono::duration_cast<Seconds>(t); }

/// Runs a step that its network has not run yet, and again until clocks have settled where it is long: such
/// steps make a device reach its power limit, which takes 0.1 s at most to act.
Result<Nanoseconds> warm_up(StepTimer& timer, const Step& step) {
  constexpr Seconds settling{0.1};
  Seconds spent{0};
  for (int run = 0;; ++run) {
    const Result<Nanoseconds> time = timer.time(step);
    if (!time) return time;
    if (run == 0) continue;  // libraries choose and load
    spent += seconds(*time);
    if (seconds(*time) <= long_step || spent >= settling) return time;
  }
}

/// Repeats a step until it is steady, a second at most, long ones for 0.1 s at least.
Result<std::vector<Nanoseconds>> repeat(StepTimer& timer, const Step& step, Seconds least) {
  constexpr Seconds most{1.0};
  constexpr std::size_t fewest = 6, enough = 400;
  std::vector<Nanoseconds> times;
  Seconds spent{0};
  while (true) {
    const Result<Nanoseconds> time = timer.time(step);
    if (!time) return failure(time.error());
    times.push_back(*time);
    spent += seconds(*time);
    if (times.size() < fewest) continue;
    if (times.size() >= enough || spent >= most || (spent >= least && steady(times))) return times;
  }
}

Result<MeasuredStep> measure_step(const GridStep& of, const Case& c, const Structure& structure,
                                  Backend& backend, StepTimer& timer, int traces) {
  const Step step = step_of(of, c);
  constexpr Seconds least_of_long{0.1}, least_of_short{0.03};
  const Result<Nanoseconds> warm = warm_up(timer, step);
  if (!warm) return failure(warm.error());
  const std::unique_ptr<DeviceWatch> watch = backend.watch();
  if (watch) watch->begin();
  const Result<std::vector<Nanoseconds>> times =
      repeat(timer, step, seconds(*warm) > long_step ? least_of_long : least_of_short);
  if (watch) watch->end();
  if (!times) return failure(times.error());
  const Samples samples = samples_of(*times);
  MeasuredStep m{.median = seconds(samples.median),
                 .p10 = seconds(samples.p10),
                 .p90 = seconds(samples.p90),
                 .runs = samples.n};
  if (watch) {
    const RunConditions conditions = watch->conditions();
    m.throttled = conditions.throttles && !conditions.throttles->empty();
    if (conditions.mean_sm_clock && conditions.top_sm_clock && conditions.top_sm_clock->value > 0)
      m.clock = std::min(1.0, conditions.mean_sm_clock->value / conditions.top_sm_clock->value);
  }
  const Graph graph = bind(structure, features(step));
  std::vector<Timeline> runs;
  for (int pass = 0; pass < traces; ++pass) {
    Result<Timeline> run = backend.run(graph, step);
    if (!run) return failure(run.error());
    runs.push_back(std::move(*run));
  }
  m.kernels = kernels_of(median_timeline(runs));
  return m;
}

}  // namespace

Result<std::vector<std::string>> measure_steps(StepGrid& grid, Backend& backend, int traces,
                                               const Progress& progress) {
  std::vector<std::string> refused;
  std::vector<GridRun> measured;
  bool any = false;
  for (std::size_t r = 0; r < grid.runs.size(); ++r) {
    GridRun& run = grid.runs[r];
    const std::string name = run.model + ", " + run.plan + ", " + run.format;
    progress(name, static_cast<double>(r) / static_cast<double>(grid.runs.size()));
    const Result<Structure> structure = compile(run.settings.model(), run.settings.plan);
    if (!structure) return failure(structure.error());
    const Result<MemoryUse> used = backend.prepare(run.settings, *structure);
    if (!used) {
      refused.push_back(name + ": " + used.error().front().message);
      continue;
    }
    run.memory_used = *used;
    const std::unique_ptr<StepTimer> timer = backend.timer();
    for (GridStep& step : run.steps) {
      Result<MeasuredStep> one = measure_step(step, run.settings, *structure, backend, *timer, traces);
      if (one) {
        step.measured = std::move(*one);
        any = true;
      } else {
        refused.push_back(name + ", " + step.text + ": " + one.error().front().message);
      }
    }
    measured.push_back(std::move(run));
  }
  grid.runs = std::move(measured);
  for (std::string& why : measure_copies(grid, backend)) refused.push_back(std::move(why));
  progress("", 1.0);
  if (!any) {
    Errors errors;
    for (const std::string& why : refused) errors.push_back({why});
    return failure(std::move(errors));
  }
  return refused;
}

}  // namespace inferometer
