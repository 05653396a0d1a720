#pragma once
#include "model/device.hpp"
#include "model/operators/hand_over.hpp"
#include "roofline/estimate.hpp"

namespace inferometer {

/// Time of activations from a device of one stage to its peer in the next:  latency + bytes / bandwidth  of
/// the link. Devices of a stage send at once, each over its own link, and each all of it: what they hold is
/// equal.
///
/// requires the device to have links (checked where a Case is made)
/// ignores  engines that send a part from each device and gather it behind the link
/// source   Hockney, "The communication challenge for MPP", Parallel Computing 20(3), 1994
Estimate estimate(const HandOver& op, const Device& device);

}  // namespace inferometer
