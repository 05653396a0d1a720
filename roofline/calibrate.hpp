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
/// repeats   runs of each step, of which a point is the median
/// progress  told what is being run
[[nodiscard]] Result<std::vector<CalibrationPoint>> measure_points(
    Backend& backend, const Device& device, std::int64_t repeats,
    const std::function<void(const std::string&)>& progress);

}  // namespace inferometer
