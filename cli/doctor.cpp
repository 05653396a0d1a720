#include <dlfcn.h>
#include <fmt/format.h>

#include <cstdlib>

#include "cli/edges.hpp"
#include "scenarios/device_file.hpp"
#ifdef INFEROMETER_HAS_CPU_BACKEND
#include "executor/cpu/host_device.hpp"
#include "executor/cpu/kernels.hpp"
#include "executor/cpu/onednn.hpp"
#endif

namespace inferometer {
namespace {

void say(bool good, const std::string& what, const std::string& detail) {
  fmt::print("{:<8} {:<22} {}\n", good ? "ok" : "missing", what, detail);
}

void cpu_backend() {
#ifdef INFEROMETER_HAS_CPU_BACKEND
  say(true, "CPU backend",
      fmt::format("{}, kernels for {}, {} threads, {:.1f} GiB available", cpu::OneDnn::version(),
                  cpu::variants().front().name, cpu::available_threads(),
                  static_cast<double>(cpu::available_memory().value) / (1 << 30)));
  cpu::OneDnn onednn;
  for (const DType dtype : {DType::bf16, DType::int8}) {
    const bool native = onednn.native(dtype);
    say(native, fmt::format("  {} products", name(dtype)),
        native ? "by the processor's own instructions"
               : "right, but slow: this processor has no instructions for them");
  }
#else
  say(false, "CPU backend",
      "oneDNN (libdnnl-dev) and OpenMP were not found when this was built: predictions only");
#endif
}

/// What the driver says, asked without any header of CUDA's: the calls below are its documented C interface.
void cuda_driver() {
  void* driver = dlopen("libcuda.so.1", RTLD_NOW);
  if (driver == nullptr) return say(false, "CUDA driver", "libcuda.so.1: no NVIDIA GPU can be measured here");
  const auto init = reinterpret_cast<int (*)(unsigned)>(dlsym(driver, "cuInit"));
  const auto count = reinterpret_cast<int (*)(int*)>(dlsym(driver, "cuDeviceGetCount"));
  const auto name_of = reinterpret_cast<int (*)(char*, int, int)>(dlsym(driver, "cuDeviceGetName"));
  int devices = 0;
  if (init == nullptr || count == nullptr || name_of == nullptr || init(0) != 0 || count(&devices) != 0)
    return say(false, "CUDA driver", "libcuda.so.1 is there but does not start");
  for (int d = 0; d < devices; ++d) {
    char text[256] = "";
    if (name_of(text, sizeof text, d) == 0) say(true, fmt::format("GPU {}", d), text);
  }
  if (devices == 0) say(false, "GPU", "the driver sees none");
}

}  // namespace

int doctor_command(const Context& context) {
  const Provenance p = provenance();
  fmt::print("inferometer {} ({}), {}\n{}, {}\n\n", p.version, p.revision, p.compiler, p.machine,
             p.operating_system);
  cpu_backend();
  const Result<DeviceFile> host = find_device("host", context.library);
  say(host.has_value(), "host calibration",
      host ? host->calibration.date + " on " + host->calibration.machine + ", " +
                 (context.library.calibration / "host.yaml").string()
           : "run `inferometer calibrate --backend cpu` (10 s), or let `run` do it");
  say(false, "CUDA backend", "not part of this build");
  cuda_driver();
  say(!list_models(context.library).empty(), "presets", context.library.root.string());
  const char* data = std::getenv("INFEROMETER_DATA");
  say(data != nullptr, "validation data",
      data != nullptr ? data
                      : "INFEROMETER_DATA is not set: tests against third parties' measurements are skipped");
  return done;
}

}  // namespace inferometer
