#include "roofline/copy.hpp"

#include "model/result.hpp"
#include "roofline/parameters.hpp"
#include "roofline/roofline.hpp"

namespace inferometer {

Estimate estimate(const CopyBeside& copy, const Device& device, const Calibration& calibration) {
  const Bytes moved = copy.on_device();
  Estimate e{.parts = {.launch = device.launch.value},
             .bound = Bound::memory,
             .compulsory = moved,
             .moved = moved,
             .memory = moved / (parameter(calibration, "copy_efficiency") * device.memory_bandwidth.value)};
  e.parts.bytes = e.memory;
  if (copy.within_device()) {
    e.compute = e.memory;
    return e;
  }
  require(device.host_link_bandwidth.has_value(), "a copy over a host link that the device does not have");
  e.link = copy.bytes / (parameter(calibration, "host_link_efficiency") * device.host_link_bandwidth->value);
  if (e.link > e.memory) {
    e.parts.bytes = e.link;
    e.bound = Bound::link;
  }
  return e;
}

}  // namespace inferometer
