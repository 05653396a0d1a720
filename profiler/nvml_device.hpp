#pragma once
#include "model/result.hpp"
#include "profiler/device_samples.hpp"
#include "profiler/nvml_interface.hpp"

namespace inferometer {

/// One GPU, as NVIDIA's management library tells of it. The library comes with the driver, is loaded when it
/// is needed and stays; nothing is ever set on the card. May be asked from any thread.
class NvmlDevice {
 public:
  /// bus      PCI address of the card, such as "0000:18:00.0"
  /// library  its file
  /// errors   no such library, a driver that refuses, no such card
  [[nodiscard]] static Result<NvmlDevice> open(const std::string& bus,
                                               const std::string& library = "libnvidia-ml.so.1");

  DeviceSample sample() const;
  /// Since the driver was loaded.
  std::optional<Joules> energy() const;
  const DeviceLimits& limits() const { return limits_; }
  /// What the card does not tell, and why; empty where it tells all.
  const std::string& refused() const { return refused_; }

 private:
  NvmlDevice() = default;
  void note_limits();
  nvml::Functions functions_;
  nvml::Device device_ = nullptr;
  DeviceLimits limits_;
  std::string refused_;
};

}  // namespace inferometer
