#include "roofline/copy.hpp"

#include <algorithm>

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
  if (copy.within_device()) return e;
  require(device.host_link_bandwidth.has_value(), "a copy over a host link that the device does not have");
  e.link = copy.bytes / (parameter(calibration, "host_link_efficiency") * device.host_link_bandwidth->value);
  if (e.link > e.memory) {
    e.parts.bytes = e.link;
    e.bound = Bound::link;
  }
  return e;
}

std::map<std::string, double> fit_copies(std::span<const ExecutedCopy> copies, const Device& device) {
  struct Sum {
    double seconds = 0, at_full_rate = 0;
  };
  std::map<std::string, Sum> sums;
  const auto add = [&](const char* name, Seconds time, Seconds at_full_rate) {
    Sum& sum = sums[name];
    sum.seconds += (time - device.launch.value).count();
    sum.at_full_rate += at_full_rate.count();
  };
  for (const ExecutedCopy& e : copies) {
    if (e.copy.within_device()) {
      add("copy_efficiency", e.time, e.copy.on_device() / device.memory_bandwidth.value);
    } else if (device.host_link_bandwidth) {
      add("host_link_efficiency", e.time, e.copy.bytes / device.host_link_bandwidth->value);
    }
  }
  std::map<std::string, double> fitted;
  for (const auto& [name, sum] : sums) {
    const ParameterInfo& info = parameter_info(name);
    if (sum.seconds > 0) fitted[name] = std::clamp(sum.at_full_rate / sum.seconds, info.low, info.high);
  }
  return fitted;
}

}  // namespace inferometer
