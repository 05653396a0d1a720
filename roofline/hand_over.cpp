#include "roofline/hand_over.hpp"

#include "model/result.hpp"

namespace inferometer {

Estimate estimate(const HandOver& op, const Device& device) {
  require(device.link_bandwidth.has_value(), "a stage hands on over links that the device does not have");
  const Bytes message = size_of(op.tokens * op.width, op.dtype);
  const Seconds latency = device.link_latency ? device.link_latency->value : Seconds{0};
  const Seconds crossing = message / device.link_bandwidth->value;
  return {.parts = {.bytes = crossing, .launch = latency},
          .bound = crossing > latency ? Bound::link : Bound::launch,
          .compulsory = message + message,
          .moved = message + message,
          .link = crossing};
}

}  // namespace inferometer
