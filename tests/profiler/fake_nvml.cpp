#include "profiler/nvml_interface.hpp"

// A management library without a driver: the card at 0000:01:00.0 tells everything, the one at 0000:02:00.0
// refuses power and energy. One function is missing.
using inferometer::nvml::Device;
using inferometer::nvml::FieldValue;

namespace {

constexpr int not_supported = 3, not_found = 6;
Device card(unsigned long number) { return reinterpret_cast<Device>(number); }
int told(unsigned* to, unsigned value) { return *to = value, 0; }

}  // namespace

extern "C" {

int nvmlInit_v2() { return 0; }
const char* nvmlErrorString(int code) { return code == not_supported ? "Not Supported" : "Not Found"; }
int nvmlDeviceGetHandleByPciBusId_v2(const char* bus, Device* device) {
  const int number = bus[6] - '0';
  *device = card(static_cast<unsigned long>(number));
  return number == 1 || number == 2 ? 0 : not_found;
}
int nvmlDeviceGetFieldValues(Device device, int count, FieldValue* values) {
  if (count != 1 || values->field != 186) return not_supported;
  values->value = 612'500;
  values->code = device == card(1) ? 0 : not_supported;
  return 0;
}
int nvmlDeviceGetTotalEnergyConsumption(Device device, unsigned long long* mj) {
  static unsigned long long asked = 0;
  *mj = 5'000 * ++asked;
  return device == card(1) ? 0 : not_supported;
}
int nvmlDeviceGetClockInfo(Device, int kind, unsigned* mhz) { return told(mhz, kind == 1 ? 1755 : 3201); }
int nvmlDeviceGetMaxClockInfo(Device, int kind, unsigned* mhz) { return told(mhz, kind == 1 ? 1980 : 3201); }
int nvmlDeviceGetCurrentClocksThrottleReasons(Device, unsigned long long* bits) {
  *bits = 0x1 | 0x2 | 0x4 | 0x40;  // idle, clocks set, power cap, hardware thermal slowdown
  return 0;
}
int nvmlDeviceGetEnforcedPowerLimit(Device, unsigned* mw) { return told(mw, 700'000); }

}  // extern "C"
