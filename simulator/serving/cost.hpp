#pragma once
#include "model/case.hpp"
#include "simulator/serving/metrics.hpp"

namespace inferometer {

/// Energy and money of a served run. Every device of every instance draws idle power and is paid for from the
/// first arrival to the last token, whether it runs steps or not.
///
/// m           of the run: its length and throughput
/// above_idle  what the steps drew beyond idle power, of one of the devices that share each layer;
///             nothing where that was not predicted, for the reason `why_not`
ServingCost cost_of(const ServingMetrics& m, const Case& c, std::optional<Joules> above_idle,
                    std::string why_not);

}  // namespace inferometer
