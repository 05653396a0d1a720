#pragma once
#include "model/reader.hpp"
#include "scenarios/step_grid.hpp"

namespace inferometer {

/// What a measured grid says of one step, and of a run's memory.
MeasuredStep read_measured_step(Reader& in);
MemoryUse read_memory(Reader& in);
/// A list of copies, measured or not.
std::vector<GridCopy> read_copies(const Document& list, Errors& errors);

}  // namespace inferometer
