#pragma once
#include <string>
#include <vector>

#include "model/backend.hpp"
#include "scenarios/step_grid.hpp"

namespace inferometer {

/// Executes a grid's copies one after another, with nothing beside them: the backend is prepared for the
/// network and plan of the grid's first run with each.
/// returns  what could not be measured, and why; those copies stay without a time
std::vector<std::string> measure_copies(StepGrid& grid, Backend& backend);

}  // namespace inferometer
