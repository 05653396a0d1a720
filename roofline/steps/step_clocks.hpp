#pragma once
#include <optional>
#include <vector>

#include "roofline/power_limit.hpp"
#include "roofline/steps/step_models.hpp"
#include "roofline/steps/step_samples.hpp"

namespace inferometer {

/// How much longer the kernels of a step that multiply took in the untraced step than traced. In long steps
/// tracing pauses let a power-limited device recover, whose multiprocessors then slow down and whose memory
/// does not; 1 of steps that are not limited().
///
/// gaps  of the step's mode
double stretch_of(const StepSamples& step, const Gaps& gaps);

/// Of the long steps, whose clocks had settled.
///
/// gaps  of each launch mode
std::optional<PowerLimit> fit_power_limit(const std::vector<StepSamples>& steps, const StepModels& gaps,
                                          const Device& device);

/// The clock that a step's kernels which multiply are to be fitted at: of a long one what the limit says, as
/// a prediction will, so that what kernels draw beyond their unit_times() is in their own times; otherwise
/// that which it had.
double clock_of(const StepSamples& step, const Gaps& gaps, const PowerLimit& limit);

}  // namespace inferometer
