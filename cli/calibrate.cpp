#include <fmt/format.h>

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

struct Attempt {
  Device device;
  FitResult fitted;
};

Result<Attempt> calibrate_once(Backend& backend, std::int64_t repeats, const Progress& progress) {
  progress("memory, cache and arithmetic peaks", 0.0);
  Device device = cpu::measure_host(cpu::available_threads());
  double part = 0.1;
  const auto points = measure_points(backend, device, repeats, [&](const std::string& what) {
    progress("networks of odd shapes, " + what, part += 0.2);
  });
  if (!points) return failure(points.error());
  FitResult fitted = fit(*points, host_parameters(), device);
  progress("", 1.0);
  return Attempt{std::move(device), std::move(fitted)};
}

/// Again while something else disturbs it, three times at most; the best of them.
Result<Attempt> calibrate_host(Backend& backend, std::int64_t repeats) {
  const Progress progress = terminal_progress("calibrate");
  Result<Attempt> best = calibrate_once(backend, repeats, progress);
  for (int again = 0; again < 2 && best && best->fitted.quality.median_error > poor_fit; ++again) {
    Result<Attempt> next = calibrate_once(backend, repeats, progress);
    if (!next) return next;
    if (next->fitted.quality.median_error < best->fitted.quality.median_error) best = std::move(next);
  }
  return best;
}

}  // namespace
#endif

int calibrate_command([[maybe_unused]] const Context& context, const CalibrateOptions& options) {
  if (options.backend != "cpu")
    return tell({{"--backend " + options.backend + ": expected cpu or cuda:N"}}, wrong_input);
  if (options.repeats < 1 || options.repeats > 1000)
    return tell({{"--repeats: must be 1 to 1000"}}, wrong_input);
  FoundBackend found = find_backend(options.backend, "");
  if (!found.backend) return tell({{found.why_not}}, failed);
#ifdef INFEROMETER_HAS_CPU_BACKEND
  Result<Attempt> made = calibrate_host(*found.backend, options.repeats);
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
