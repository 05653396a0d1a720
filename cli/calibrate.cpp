#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "cli/edges.hpp"
#include "roofline/calibrate.hpp"
#include "scenarios/device_file.hpp"
#ifdef INFEROMETER_HAS_CPU_BACKEND
#include "executor/cpu/cpu_backend.hpp"
#include "executor/cpu/host_device.hpp"
#endif

namespace inferometer {

#ifdef INFEROMETER_HAS_CPU_BACKEND
namespace {

struct Calibrated {
  Device device;
  FitResult fitted;
};

Result<Calibrated> calibrate_host(Backend& backend, Seconds duration) {
  const Progress progress = terminal_progress("calibrate");
  progress("memory, cache and arithmetic peaks", 0.0);
  Device device = cpu::measure_host(cpu::available_threads());
  const auto start = std::chrono::steady_clock::now();
  const auto part = [&] { return Seconds{std::chrono::steady_clock::now() - start} / duration; };
  const auto tell_part = [&](const std::string& what) {
    progress("networks of odd shapes, " + what, 0.1 + 0.8 * std::min(part(), 1.0));
  };
  backend.begin_memory_reads();
  const auto points = measure_points(backend, device, tell_part, [&] { return part() < 1; });
  if (!points) return failure(points.error());
  if (const auto read = backend.end_memory_reads(); read && read->enough())
    device.memory_bandwidth = {
        read->rate, fmt::format("reads of 128 MiB between the fitted steps, mean of {}", read->looks)};
  FitResult fitted = fit(*points, host_parameters(), device);
  progress("", 1.0);
  return Calibrated{std::move(device), std::move(fitted)};
}

}  // namespace
#endif

int calibrate_command([[maybe_unused]] const Context& context, const CalibrateOptions& options) {
  if (options.backend != "cpu")
    return tell({{"--backend " + options.backend + ": expected cpu or cuda:N"}}, wrong_input);
  if (!(options.seconds > 0 && options.seconds <= 3600))
    return tell({{"--seconds: must be more than 0 and at most 3600"}}, wrong_input);
  FoundBackend found = find_backend(options.backend, "");
  if (!found.backend) return tell({{found.why_not}}, failed);
#ifdef INFEROMETER_HAS_CPU_BACKEND
  Result<Calibrated> made = calibrate_host(*found.backend, Seconds{options.seconds});
  if (!made) return tell(made.error(), failed);
  const Provenance how = provenance();
  FitResult& fitted = made->fitted;
  fitted.calibration.date = how.date;
  fitted.calibration.machine = how.machine;
  const std::filesystem::path file = context.library.calibration / "host.yaml";
  if (const auto written = write_calibrated_device(file, made->device, fitted); !written)
    return tell(written.error(), failed);
  fmt::print(stderr,
             "calibrated host on {}: median error of its own points {:.1f} %, p90 {:.1f} %; written to {}\n",
             how.machine, 100 * fitted.quality.median_error, 100 * fitted.quality.p90_error, file.string());
  if (fitted.quality.median_error > poor_fit)
    fmt::print(stderr,
               "that is a poor fit: something else uses this machine; calibrate again when it is idle\n");
#endif
  return done;
}

}  // namespace inferometer
