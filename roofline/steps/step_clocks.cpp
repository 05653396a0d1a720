#include "roofline/steps/step_clocks.hpp"

#include <algorithm>

#include "roofline/steps/fit_gaps.hpp"

namespace inferometer {
namespace {

/// What a step would take at top clocks that took what it did at this one: what multiplies is shorter, by as
/// much as arithmetic sets its time in models with generic values.
Seconds at_top(const StepSamples& step, const Gaps& gaps, double clock, const Device& device) {
  static const StepModels generic;
  const double stretch = stretch_of(step, gaps);
  Seconds time = step.untraced;
  for (const StepSample& k : step.kernels) {
    if (!multiplies(k)) continue;
    double top = 0, slowed = 0;
    for (const StepCall& call : k.calls) {
      top += generic.predict(call, device, Level::calibrated, 1).time;
      slowed += generic.predict(call, device, Level::calibrated, clock).time;
    }
    time -= (1 - top / slowed) * stretch * k.exposed;
  }
  return time;
}

/// The clock that a step had; the top one where no limit of power lowered it.
double read_clock(const StepSamples& step) { return limited(step) ? step.clock.value_or(1) : 1; }

}  // namespace

double stretch_of(const StepSamples& step, const Gaps& gaps) {
  if (!limited(step) || multiplying(step) <= Seconds{0}) return 1;
  return std::clamp(1 + (step.untraced - as_traced(step, gaps)) / multiplying(step), 0.9, 1.25);
}

std::optional<PowerLimit> power_limit_of(const std::vector<StepSamples>& steps, const StepModels& models,
                                         const Device& device) {
  std::vector<SettledStep> settled;
  for (const StepSamples& step : steps) {
    if (!step.clock || step.untraced < long_step) continue;
    settled.push_back({.work = step.work,
                       .at_top = at_top(step, models.gaps(step.mode, device), read_clock(step), device),
                       .clock = *step.clock});
  }
  return fit_power_limit(settled);
}

double clock_of(const StepSamples& step, const Gaps& gaps, const PowerLimit& limit, const Device& device) {
  if (!step.clock || step.untraced < long_step) return read_clock(step);
  // The lower the clock, the shorter the step at top clocks, the more that one asks for: from the top down.
  constexpr int rounds = 20;
  double clock = 1;
  for (int round = 0; round < rounds; ++round) {
    const double next = limit.clock(step.work, at_top(step, gaps, clock, device));
    if (next == clock) break;
    clock = next;
  }
  return clock;
}

}  // namespace inferometer
