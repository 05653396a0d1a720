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

/// The limit of power that the clocks of long steps tell, which had settled; nothing where too few of them
/// were below the top clock.
///
/// models  whose gaps are those of the steps
std::optional<PowerLimit> power_limit_of(const std::vector<StepSamples>& steps, const StepModels& models,
                                         const Device& device);

/// The clock that a step's kernels which multiply are to be fitted at: of a long one what the limit says, as
/// a prediction will, so that what kernels draw beyond their unit_times() is in their own times; of a shorter
/// one, which is predicted at a clock that it had no time to come to, that which it had, or 1 where it was
/// not limited().
double clock_of(const StepSamples& step, const Gaps& gaps, const PowerLimit& limit, const Device& device);

}  // namespace inferometer
