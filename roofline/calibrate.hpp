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
/// device        the peaks that efficiencies refer to
/// progress      told what is being run
/// another_pass  asked after each pass over all steps, in which each step runs twice; a point is the mean
///               between the deciles of its runs
[[nodiscard]] Result<std::vector<CalibrationPoint>> measure_points(
    Backend& backend, const Device& device, const std::function<void(const std::string&)>& progress,
    const std::function<bool()>& another_pass);

}  // namespace inferometer
