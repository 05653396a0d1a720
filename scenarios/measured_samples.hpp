#pragma once
#include <string>
#include <vector>

#include "model/device.hpp"
#include "roofline/fitting/sample.hpp"
#include "scenarios/measurements.hpp"

namespace inferometer {

/// Measured rows of `file` as samples of `device`.
/// errors  at the row: collectives on a device that states no link_bandwidth
[[nodiscard]] Result<std::vector<Sample>> samples_on(const Device& device,
                                                     const std::vector<Measurement>& rows,
                                                     const std::string& file);

}  // namespace inferometer
