#pragma once

// The part of NVIDIA's management library (NVML) that is used here, declared from its public reference
// (docs.nvidia.com/deploy/nvml-api): its header comes with no package that this project needs. All of it only
// asks.
namespace inferometer::nvml {

using Device = struct DeviceOfDriver*;

inline constexpr int success = 0;
inline constexpr int clock_sm = 1, clock_memory = 2;  ///< nvmlClockType_t
inline constexpr int sensor_gpu = 0;                  ///< nvmlTemperatureSensors_t

/// nvmlFieldValue_t. Values that are asked for here are unsigned.
struct FieldValue {
  unsigned field = 0, scope = 0;
  long long timestamp = 0, latency = 0;  ///< [us]
  int type = 0, code = 0;
  unsigned long long value = 0;
};
static_assert(sizeof(FieldValue) == 40);
/// Power now [mW]. nvmlDeviceGetPowerUsage is a mean over the last second on Ampere (but GA100) and later: as
/// long as many of the steps that are measured here.
inline constexpr unsigned power_now = 186;  ///< NVML_FI_DEV_POWER_INSTANT

/// Bits of nvmlClocksEventReasons.
inline constexpr unsigned long long software_power_cap = 0x4, hw_slowdown = 0x8, software_thermal = 0x20,
                                    hw_thermal = 0x40, hw_power_brake = 0x80;

/// Functions by name; null where the library lacks one. Each gives 0 or a code that error_string explains.
struct Functions {
  int (*init)() = nullptr;                                      // nvmlInit_v2
  const char* (*error_string)(int) = nullptr;                   // nvmlErrorString
  int (*by_bus)(const char*, Device*) = nullptr;                // nvmlDeviceGetHandleByPciBusId_v2
  int (*field_values)(Device, int, FieldValue*) = nullptr;      // nvmlDeviceGetFieldValues
  int (*energy)(Device, unsigned long long*) = nullptr;         // [mJ] nvmlDeviceGetTotalEnergyConsumption
  int (*clock)(Device, int, unsigned*) = nullptr;               // [MHz] nvmlDeviceGetClockInfo
  int (*top_clock)(Device, int, unsigned*) = nullptr;           // [MHz] nvmlDeviceGetMaxClockInfo
  int (*temperature)(Device, int, unsigned*) = nullptr;         // [°C] nvmlDeviceGetTemperature
  int (*clock_reasons)(Device, unsigned long long*) = nullptr;  // nvmlDeviceGetCurrentClocksThrottleReasons
  int (*power_limit)(Device, unsigned*) = nullptr;              // [mW] nvmlDeviceGetEnforcedPowerLimit
};

}  // namespace inferometer::nvml
