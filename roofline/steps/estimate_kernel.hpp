#pragma once
#include <vector>

#include "roofline/calibration.hpp"
#include "roofline/estimate.hpp"
#include "roofline/steps/step_models.hpp"

namespace inferometer {

/// Estimates of the nodes of one kernel on a GPU, in their order. The time is all with the node that takes
/// most of it (main_node()), where `launch` holds the models' floors, and `flops` or `bytes` what arithmetic
/// or memory would take at the device's peak; the others say what they ask for. Without calibration the
/// models have generic values.
///
/// overlap   whether kernels are set up while the one before drains
/// requires  links on the device where a collective has ranks
std::vector<Estimate> estimate_kernel(const Graph& graph, const NodeRange& kernel, const Device& device,
                                      const Calibration& calibration, bool overlap);

/// Products before attention before the first.
std::size_t main_node(const Graph& graph, const NodeRange& kernel);

/// The models of a calibration, or generic ones.
const StepModels& models_of(const Calibration& calibration);

}  // namespace inferometer
