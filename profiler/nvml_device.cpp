#include "profiler/nvml_device.hpp"

#include <dlfcn.h>

namespace inferometer {
namespace {

constexpr std::array throttle_bits{std::pair{Throttle::power_cap, nvml::software_power_cap},
                                   std::pair{Throttle::hardware_slowdown, nvml::hw_slowdown},
                                   std::pair{Throttle::thermal, nvml::software_thermal},
                                   std::pair{Throttle::hardware_thermal, nvml::hw_thermal},
                                   std::pair{Throttle::power_brake, nvml::hw_power_brake}};

constexpr int no_such_function = 13;  // NVML_ERROR_FUNCTION_NOT_FOUND

template <class F, class... Arguments>
int call(F* function, Arguments... arguments) {
  return function == nullptr ? no_such_function : function(arguments...);
}

/// What a call tells: its code, and the value where that is success.
template <class Value>
struct Told {
  int code = nvml::success;
  Value value = 0;
  bool ok() const { return code == nvml::success; }
};
template <class Value, class F, class... Arguments>
Told<Value> ask(F* function, Arguments... arguments) {
  Told<Value> told;
  told.code = call(function, arguments..., &told.value);
  return told;
}

/// An unsigned int in a union of eight bytes.
Told<double> milliwatts(const nvml::Functions& f, nvml::Device device) {
  nvml::FieldValue field{.field = nvml::power_now};
  const int code = call(f.field_values, device, 1, &field);
  return {code != nvml::success ? code : field.code, static_cast<double>(static_cast<unsigned>(field.value))};
}

nvml::Functions functions_of(void* library) {
  nvml::Functions f;
  const auto find = [&](auto& function, const char* name) {
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(dlsym(library, name));
  };
  find(f.init, "nvmlInit_v2");
  find(f.error_string, "nvmlErrorString");
  find(f.by_bus, "nvmlDeviceGetHandleByPciBusId_v2");
  find(f.field_values, "nvmlDeviceGetFieldValues");
  find(f.energy, "nvmlDeviceGetTotalEnergyConsumption");
  find(f.clock, "nvmlDeviceGetClockInfo");
  find(f.top_clock, "nvmlDeviceGetMaxClockInfo");
  find(f.temperature, "nvmlDeviceGetTemperature");
  find(f.clock_reasons, "nvmlDeviceGetCurrentClocksThrottleReasons");
  find(f.power_limit, "nvmlDeviceGetEnforcedPowerLimit");
  return f;
}

std::string text_of(int code, const nvml::Functions& f) {
  if (f.error_string == nullptr) return "error " + std::to_string(code);
  return code == no_such_function ? "the library has no such function" : f.error_string(code);
}

}  // namespace

Result<NvmlDevice> NvmlDevice::open(const std::string& bus, const std::string& library) {
  void* loaded = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (loaded == nullptr) return failure(dlerror());
  NvmlDevice made;
  made.functions_ = functions_of(loaded);
  const auto refusal = [&](const std::string& what, int code) {
    return failure(library + ": " + what + ": " + text_of(code, made.functions_));
  };
  if (const int code = call(made.functions_.init); code != nvml::success) return refusal("nvmlInit_v2", code);
  if (const int code = call(made.functions_.by_bus, bus.c_str(), &made.device_); code != nvml::success)
    return refusal("the card at " + bus, code);
  made.note_limits();
  return made;
}

/// Asks everything once: what is refused now is refused later too.
void NvmlDevice::note_limits() {
  const nvml::Functions& f = functions_;
  const auto note = [&](const char* what, int code) {
    if (code != nvml::success)
      refused_ += (refused_.empty() ? "" : "; ") + std::string{what} + ": " + text_of(code, f);
    return code == nvml::success;
  };
  note("power", milliwatts(f, device_).code);
  note("energy", ask<unsigned long long>(f.energy, device_).code);
  note("SM clock", ask<unsigned>(f.clock, device_, nvml::clock_sm).code);
  note("memory clock", ask<unsigned>(f.clock, device_, nvml::clock_memory).code);
  note("temperature", ask<unsigned>(f.temperature, device_, nvml::sensor_gpu).code);
  note("throttling", ask<unsigned long long>(f.clock_reasons, device_).code);
  const auto power = ask<unsigned>(f.power_limit, device_);
  if (note("power limit", power.code)) limits_.power = Watts{power.value * 1e-3};
  const auto clock = ask<unsigned>(f.top_clock, device_, nvml::clock_sm);
  if (note("top SM clock", clock.code)) limits_.sm_clock = Hertz{clock.value * 1e6};
}

DeviceSample NvmlDevice::sample() const {
  const nvml::Functions& f = functions_;
  DeviceSample sample;
  if (const auto mw = milliwatts(f, device_); mw.ok()) sample.power = Watts{mw.value * 1e-3};
  if (const auto mhz = ask<unsigned>(f.clock, device_, nvml::clock_sm); mhz.ok())
    sample.sm_clock = Hertz{mhz.value * 1e6};
  if (const auto mhz = ask<unsigned>(f.clock, device_, nvml::clock_memory); mhz.ok())
    sample.memory_clock = Hertz{mhz.value * 1e6};
  if (const auto t = ask<unsigned>(f.temperature, device_, nvml::sensor_gpu); t.ok())
    sample.temperature = Celsius{static_cast<double>(t.value)};
  if (const auto bits = ask<unsigned long long>(f.clock_reasons, device_); bits.ok()) {
    sample.throttles.emplace();
    for (const auto& [reason, bit] : throttle_bits) {
      if ((bits.value & bit) != 0) sample.throttles->push_back(reason);
    }
  }
  return sample;
}

std::optional<Joules> NvmlDevice::energy() const {
  const auto mj = ask<unsigned long long>(functions_.energy, device_);
  return mj.ok() ? std::optional{Joules{static_cast<double>(mj.value) * 1e-3}} : std::nullopt;
}

}  // namespace inferometer
