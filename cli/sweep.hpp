#pragma once
#include <filesystem>

#include "cli/commands.hpp"

namespace inferometer {

/// `run` of a scenario with `sweep:`. Points are kept in results.sqlite under `out`; those that are there are
/// not run again.
int sweep_command(const Context& context, const Scenario& scenario, const std::filesystem::path& out);

}  // namespace inferometer
