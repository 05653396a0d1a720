#pragma once
#include "model/backend.hpp"
#include "scenarios/step_grid.hpp"
#include "scenarios/study.hpp"

namespace inferometer {

/// Executes every step of a grid: untraced until its median is steady, then traced.
///
/// traces   of each step, of which the medians count
/// grid     filled in with what was measured; runs that the backend refuses are taken out, steps that fail
///          have no measurement
/// returns  what was refused or failed, and why
/// errors   those, when nothing could be measured
[[nodiscard]] Result<std::vector<std::string>> measure_steps(StepGrid& grid, Backend& backend, int traces,
                                                             const Progress& progress);

}  // namespace inferometer
