#pragma once
#include <array>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "model/copy_beside.hpp"
#include "model/device.hpp"
#include "roofline/calibration.hpp"
#include "roofline/estimate.hpp"

namespace inferometer {

/// Time of a copy alone:  launch + max(memory, link), with
///   memory   what is read and written in the device's memory, at bandwidth * copy_efficiency
///   link     what crosses the host link, at its bandwidth * host_link_efficiency; nothing within the device
/// Within the device the multiprocessors copy, over the host link a copy engine does.
///
/// requires the device to have a host link where the direction crosses one (checked where a Case is made)
/// ignores  the host's memory, and other devices that share its link
Estimate estimate(const CopyBeside& copy, const Device& device, const Calibration& calibration);

/// The parameters that estimate() asks for.
inline constexpr std::array<std::string_view, 2> copy_parameters{"copy_efficiency", "host_link_efficiency"};

/// A copy that a device executed, with nothing beside it.
struct ExecutedCopy {
  CopyBeside copy;
  Seconds time{0};
};
/// The parameters of estimate() that make the copies' times right in the mean, within the ranges that physics
/// allows; those that no copy tells are left out (none longer than a launch), and so is the host link of a
/// device that has none.
std::map<std::string, double> fit_copies(std::span<const ExecutedCopy> copies, const Device& device);

}  // namespace inferometer
