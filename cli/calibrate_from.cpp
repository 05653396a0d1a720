#include <fmt/format.h>

#include "cli/edges.hpp"
#include "cli/measured_files.hpp"
#include "scenarios/calibration_file.hpp"
#include "scenarios/device_file.hpp"
#include "scenarios/files.hpp"

namespace inferometer {

int calibrate_from_command(const Context& context, const CalibrateOptions& options) {
  const Result<DeviceFile> device = find_device(options.device, context.library);
  if (!device) return tell(device.error(), wrong_input);
  const Result<MeasuredFiles> measured = read_measured_files(options.from, device->device);
  if (!measured) return tell(measured.error(), wrong_input);
  KernelCalibration calibration{.device = device->device.name,
                                .date = provenance().date,
                                .sources = {},
                                .facts = {},
                                .gaps = {},
                                .power_limit = {},
                                .parameters = {},
                                .models = {}};
  for (const MeasuredFiles::File& file : measured->files)
    calibration.sources.push_back({file.name, file.hash, file.rows.size()});
  calibration.models = fit_kernels(measured->samples);
  for (const auto& [key, model] : calibration.models) {
    if (too_few(model.rows, model.values.size()))
      warn_of_few(key.first, key.second, model.rows, model.values.size());
    fmt::print(stderr,
               "{:<20} {:<21} {:>6} rows, median error of shapes left out {:.1f} %, with residual layer {}\n",
               key.first, key.second, model.rows, 100 * model.calibrated.median_error,
               model.residual.on() ? fmt::format("{:.1f} %", 100 * model.corrected.median_error) : "off");
  }
  if (const auto written = write_file(options.out, print_calibration(calibration)); !written)
    return tell(written.error(), failed);
  fmt::print(stderr, "written to {}\n", options.out);
  return done;
}

}  // namespace inferometer
