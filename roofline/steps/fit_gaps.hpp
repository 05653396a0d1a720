#pragma once
#include <map>
#include <vector>

#include "roofline/fitting/launch_mode.hpp"
#include "roofline/steps/step_samples.hpp"

namespace inferometer {

/// The gaps between the kernels of executed steps, by how they were launched: the lower quartile over a
/// mode's steps at top clocks of what the kernels leave of a step, by kernel, since what delays some leaves
/// more of those; apart for steps with kernels of a library. Where kernels are launched one by one, gaps and
/// the host's time for a launch are those that give the steps' times best.
std::map<LaunchMode, Gaps> fit_gaps(const std::vector<StepSamples>& steps);

/// What a step takes whose kernels take what they took traced, with these gaps of its mode.
Seconds as_traced(const StepSamples& step, const Gaps& gaps);

}  // namespace inferometer
