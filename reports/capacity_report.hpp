#pragma once
#include <string>

#include "scenarios/capacity.hpp"

namespace inferometer {

/// For a terminal: of every variant the rate [requests/s] with its 95 % interval over draws, the difference
/// to the first one, the baseline, with that of paired draws, output tokens per second there, and what is
/// missed beyond it.
std::string capacity_table(const CapacityStudy& study);
/// Everything, draws one by one, with the unit of each number in its key.
std::string capacity_json(const CapacityStudy& study);

}  // namespace inferometer
