#include <fmt/format.h>

#include "cli/edges.hpp"
#include "roofline/calibrate.hpp"
#include "scenarios/device_file.hpp"
#ifdef INFEROMETER_HAS_CPU_BACKEND
#include "executor/cpu/cpu_backend.hpp"
#include "executor/cpu/host_device.hpp"
#endif

namespace inferometer {

int calibrate_command(const Context& context, const CalibrateOptions& options) {
  if (options.backend != "cpu")
    return tell({{"--backend " + options.backend + ": only cpu can be calibrated here"}}, wrong_input);
  FoundBackend found = find_backend(options.backend, "");
  if (!found.backend) return tell({{found.why_not}}, failed);
#ifdef INFEROMETER_HAS_CPU_BACKEND
  const Progress progress = terminal_progress("calibrate");
  progress("memory, cache and arithmetic peaks", 0.0);
  const Device device = cpu::measure_host(cpu::available_threads());
  double part = 0.1;
  const Result<std::vector<CalibrationPoint>> points = measure_points(
      *found.backend, device, options.repeats,
      [&](const std::string& what) { progress("networks of odd shapes, " + what, part += 0.2); });
  if (!points) return tell(points.error(), failed);
  FitResult fitted = fit(*points, host_parameters(), device);
  progress("", 1.0);
  const Provenance made = provenance();
  fitted.calibration.date = made.date;
  fitted.calibration.machine = made.machine;
  const std::filesystem::path file = context.library.calibration / "host.yaml";
  if (const auto written = write_calibrated_device(file, device, fitted); !written)
    return tell(written.error(), failed);
  fmt::print(stderr,
             "calibrated {} on {}: median error of its own points {:.1f} %, p90 {:.1f} %; written to {}\n",
             device.name, made.machine, 100 * fitted.quality.median_error, 100 * fitted.quality.p90_error,
             file.string());
  if (fitted.quality.median_error > 0.35)
    fmt::print(
        stderr,
        "that is a poor fit: something else may have used this machine; calibrate again when it is idle\n");
#endif
  return done;
}

}  // namespace inferometer
