#pragma once
#include "model/backend.hpp"
#include "scenarios/step_grid.hpp"
#include "scenarios/study.hpp"

namespace inferometer {

/// Executes every step of a grid: untraced until its median is steady, then traced three times. A run that
/// the backend refuses is told in the result's errors only when none could be executed; otherwise `refused`
/// lists it.
///
/// grid    filled in with what was measured; runs that were refused are taken out
/// errors  a step that failed while it ran
[[nodiscard]] Result<std::vector<std::string>> measure_steps(StepGrid& grid, Backend& backend,
                                                             const Progress& progress);

}  // namespace inferometer
