#pragma once
#include <vector>

#include "roofline/steps/step_models.hpp"
#include "roofline/steps/step_samples.hpp"

namespace inferometer {

/// Fits models of kernels, of the gaps between them and of the limit of power to executed steps. Of single
/// tokens attended beside prompts, what the prompts' model leaves of both counts; other kernels that are two
/// calls are left out. Kernels that multiply are counted for as much longer as stretch_of() says, on
/// multiprocessors at clock_of() the step.
///
/// requires  steps, each with kernels
StepModels fit_steps(const std::vector<StepSamples>& steps, const Device& device);

}  // namespace inferometer
