#include <fmt/format.h>

#include "cli/edges.hpp"
#include "reports/steps_report.hpp"
#include "scenarios/device_file.hpp"
#include "scenarios/files.hpp"
#include "scenarios/measure_steps.hpp"

namespace inferometer {
namespace {

/// Executes the grid and says on what it was.
Done execute(StepGrid& grid, const std::string& backend) {
  FoundBackend found = find_backend(backend, "");
  if (!found.backend) return failure(found.why_not);
  const Result<std::vector<std::string>> refused =
      measure_steps(grid, *found.backend, terminal_progress("validate steps"));
  if (!refused) return failure(refused.error());
  for (const std::string& why : *refused) fmt::print(stderr, "not executed: {}\n", why);
  const Provenance how = provenance();
  grid.facts = found.facts;
  grid.facts["date"] = how.date;
  grid.facts["machine"] = how.machine;
  grid.facts["revision"] = how.revision;
  return std::monostate{};
}

}  // namespace

int validate_steps_command(const Context& context, const ValidateStepsOptions& options) {
  if (options.backend.empty() == options.measured.empty())
    return tell({{"either --backend, which executes the grid, or --measured, with one that was, is needed"}},
                wrong_input);
  if (options.device == "host") {
    if (const Result<Device> host = device_or_calibrate(context, "host"); !host)
      return tell(host.error(), failed);
  }
  Result<DeviceFile> device = find_device(options.device, context.library);
  if (!device) return tell(device.error(), wrong_input);
  const std::filesystem::path shipped =
      context.library.root / "steps" /
      (device->device.kind == DeviceKind::gpu ? "gpu-validation.yaml" : "cpu-validation.yaml");
  const std::filesystem::path file = !options.measured.empty() ? std::filesystem::path{options.measured}
                                     : options.grid.empty()    ? shipped
                                                               : std::filesystem::path{options.grid};
  const Result<std::string> text = read_file(file);
  if (!text) return tell(text.error(), wrong_input);
  Result<StepGrid> grid = read_grid(*text, file, device->device, context.library);
  if (!grid) return tell(grid.error(), wrong_input);
  if (!options.backend.empty()) {
    if (const Done executed = execute(*grid, options.backend); !executed)
      return tell(executed.error(), failed);
    if (!options.out.empty()) {
      if (const Done written = write_file(options.out, print_grid(*grid)); !written)
        return tell(written.error(), failed);
    }
  }
  if (!options.fit_on.empty()) {
    const Result<std::string> points = read_file(options.fit_on);
    if (!points) return tell(points.error(), wrong_input);
    const Result<StepGrid> fitted_on = read_grid(*points, options.fit_on, device->device, context.library);
    if (!fitted_on) return tell(fitted_on.error(), wrong_input);
    const auto samples = samples_of(*fitted_on);
    if (!samples) return tell(samples.error(), wrong_input);
    device->calibration.kernels = std::make_shared<StepModels>(fit_steps(*samples, device->device));
    device->calibration.level = Level::residual_corrected;
    device->calibration.source = options.fit_on;
  }
  Result<JudgedGrid> judged = judge_steps(*grid, device->calibration);
  if (!judged) return tell(judged.error(), failed);
  const StepsReport report{device->device.name, device->calibration.source, grid->facts, std::move(*judged)};
  fmt::print("{}", context.json ? steps_json(report) : steps_table(report));
  return done;
}

}  // namespace inferometer
