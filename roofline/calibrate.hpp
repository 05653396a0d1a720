#pragma once
#include <functional>

#include "model/backend.hpp"
#include "roofline/fit.hpp"

namespace inferometer {

/// The parameters that calibrate() fits for a host: at most ten.
std::vector<std::string> host_parameters();

/// Runs small networks of shapes that no shipped scenario has on `backend`, node by node, and fits the
/// parameters of the kernel models to what the nodes took.
///
/// device    the peaks that efficiencies refer to
/// repeats   runs of each step; medians are fitted
/// progress  told what is being run
/// returns   the calibration and how well it explains its own points
[[nodiscard]] Result<FitResult> calibrate(Backend& backend, const Device& device, std::int64_t repeats,
                                          const std::function<void(const std::string&)>& progress);

}  // namespace inferometer
