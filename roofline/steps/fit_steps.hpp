#pragma once
#include <optional>
#include <vector>

#include "roofline/steps/step_models.hpp"

namespace inferometer {

/// A kernel of an executed step.
struct StepSample {
  std::vector<StepCall> calls;
  Seconds exposed{0};  ///< by which the step ended later for it
};

/// An executed step: its kernels traced, and the whole of it untraced.
struct StepSamples {
  LaunchMode mode = LaunchMode::eager;
  Seconds untraced{0};
  std::optional<double> clock;  ///< while it was repeated, as part of the device's top clock
  std::vector<StepSample> kernels;
};

/// How much longer the kernels of a step that multiply took in the untraced step than traced. In long steps
/// tracing pauses let a power-limited device recover, whose multiprocessors then slow down and whose memory
/// does not; steps that end within a millisecond do not reach that limit, nor those whose clocks stayed where
/// they were: 1.
///
/// gaps  of the step's mode
double stretch_of(const StepSamples& step, Gaps gaps);

/// Whether lower clocks slow a kernel down: products of tiles, attention of prompts.
bool multiplies(const StepSample& kernel);

/// Fits models of kernels and of the gaps between them to executed steps. Of single tokens attended beside
/// prompts, what the prompts' model leaves of both counts; other kernels that are two calls are left out. A
/// gap is the lower quartile over a mode's steps at top clocks of what the kernels leave of a step, by
/// kernel; where kernels are launched one by one, gaps and the host's time for a launch are those that give
/// the steps' times best. Kernels that multiply are counted for as much longer as stretch_of() says.
///
/// requires  steps, each with kernels
StepModels fit_steps(const std::vector<StepSamples>& steps, const Device& device);

}  // namespace inferometer
