#include "roofline/energy.hpp"

#include <algorithm>
#include <limits>

#include "roofline/roofline.hpp"

namespace inferometer {

UnitTimes unit_times(const Work& work, const Device& device) {
  return {.memory = (work.compulsory() + work.unfused) / device.memory_bandwidth.value,
          .compute = work.flops / peak_of(work, device)};
}

std::optional<PowerModel> PowerModel::of(const Device& device) {
  if (!powers_missing(device).empty()) return std::nullopt;
  PowerModel m;
  m.idle_ = device.idle_power->value;
  m.memory_ = device.memory_power->value;
  m.compute_ = device.compute_power->value;
  m.most_ = device.power ? Watts{std::max(0.0, (device.power->value - m.idle_).value)}
                         : Watts{std::numeric_limits<double>::infinity()};
  return m;
}

Joules PowerModel::above_idle(const UnitTimes& work, Seconds t) const {
  return std::min(memory_ * work.memory + compute_ * work.compute, most_ * t);
}

std::string powers_missing(const Device& device) {
  std::string missing;
  const auto need = [&](const auto& number, const char* key) {
    if (!number) missing += (missing.empty() ? " has no " : ", ") + std::string{key};
  };
  need(device.idle_power, "idle_power");
  need(device.memory_power, "memory_power");
  need(device.compute_power, "compute_power");
  return missing.empty() ? "" : device.name + missing;
}

std::string why_no_energy(const Case& c) {
  if (c.plan.parallel.data > 1) return "energy with parallel.data is not predicted";
  return powers_missing(c.cluster.device);
}

std::optional<PowerModel> power_model_of(const Case& c) {
  return why_no_energy(c).empty() ? PowerModel::of(c.cluster.device) : std::nullopt;
}

}  // namespace inferometer
