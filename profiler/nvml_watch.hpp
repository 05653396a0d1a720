#pragma once
#include <condition_variable>
#include <mutex>
#include <thread>

#include "model/backend.hpp"
#include "profiler/nvml_device.hpp"

namespace inferometer {

/// Asks a GPU every 20 ms, from a thread of its own, how it is.
class NvmlWatch final : public DeviceWatch {
 public:
  /// Refers to `device`, or to why there is none.
  explicit NvmlWatch(const Result<NvmlDevice>& device) : device_(device) {}

  void begin() override;
  void end() override;
  RunConditions conditions() const override;

 private:
  static constexpr std::chrono::milliseconds interval{20};
  void sample_until(const std::stop_token& stopped);
  const Result<NvmlDevice>& device_;
  std::vector<DeviceSample> samples_;
  EnergyCount energy_;
  std::optional<Joules> energy_before_;
  std::chrono::steady_clock::time_point since_;
  std::jthread thread_;  ///< last: it uses what stands above
};

}  // namespace inferometer
