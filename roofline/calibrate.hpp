#pragma once
#include <functional>

#include "model/backend.hpp"
#include "roofline/fit.hpp"

namespace inferometer {

/// The parameters that calibrate() fits for a host: at most ten.
std::vector<std::string> host_parameters();

/// Runs small networks of shapes that no shipped scenario has on `backend`, node by node: what the parameters
/// of the kernel models are fitted to.
///
/// device    the peaks that efficiencies refer to
/// duration  that passes over all steps are begun within, at least one; each step runs twice in a pass, and a
///           point is the mean between the deciles of its runs
/// progress  told the part that is done (0 to 1) and what is being run
[[nodiscard]] Result<std::vector<CalibrationPoint>> measure_points(
    Backend& backend, const Device& device, Seconds duration,
    const std::function<void(double, const std::string&)>& progress);

}  // namespace inferometer
