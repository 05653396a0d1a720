#include <fmt/format.h>

#include "cli/edges.hpp"
#include "cli/measured_files.hpp"
#include "roofline/copy.hpp"
#include "roofline/steps/fit_steps.hpp"
#include "scenarios/calibration_file.hpp"
#include "scenarios/device_file.hpp"
#include "scenarios/files.hpp"
#include "scenarios/judge_steps.hpp"
#include "scenarios/measure_steps.hpp"

namespace inferometer {
namespace {

/// A grid and the text that it is known by.
struct ReadGrid {
  StepGrid grid;
  KernelCalibration::Source source;
};

Result<ReadGrid> read_steps(const std::filesystem::path& file, const Device& device, const Library& library) {
  const Result<std::string> text = read_file(file);
  if (!text) return failure(text.error());
  Result<StepGrid> grid = read_grid(*text, file, device, library);
  if (!grid) return failure(grid.error());
  return ReadGrid{std::move(*grid), {file.filename().string(), content_hash(*text), 0}};
}

Result<ReadGrid> measure_grid(const CalibrateOptions& options, const Device& device, const Library& library) {
  Result<ReadGrid> read = read_steps(library.root / "steps" / "gpu-calibration.yaml", device, library);
  if (!read) return read;
  constexpr int traces = 2;  // many steps say what each kernel takes
  if (const Done executed = execute_grid(read->grid, device, options.backend, traces, "calibrate"); !executed)
    return failure(executed.error());
  const std::string text = print_grid(read->grid);
  read->source = {"steps executed on " + options.backend, content_hash(text), 0};
  if (!options.points.empty()) {
    if (const Done written = write_file(options.points, text); !written) return failure(written.error());
  }
  return read;
}

}  // namespace

int calibrate_steps_command(const Context& context, const CalibrateOptions& options) {
  if (options.device.empty())
    return tell(
        {{"--backend " + options.backend + ": needs --device, the preset or file that states its peaks"}},
        wrong_input);
  if (options.from.size() > 1) return tell({{"--from: one file of steps at a time"}}, wrong_input);
  const Result<DeviceFile> device = find_device(options.device, context.library);
  if (!device) return tell(device.error(), wrong_input);
  if (device->device.kind != DeviceKind::gpu)
    return tell({{"--device " + options.device + ": is no GPU"}}, wrong_input);
  Result<ReadGrid> measured = options.from.empty()
                                  ? measure_grid(options, device->device, context.library)
                                  : read_steps(options.from.front(), device->device, context.library);
  if (!measured) return tell(measured.error(), options.from.empty() ? failed : wrong_input);
  const Result<std::vector<StepSamples>> steps = samples_of(measured->grid);
  if (!steps) return tell(steps.error(), wrong_input);
  if (steps->empty()) return tell({{options.from.front() + ": no step in it was measured"}}, wrong_input);
  measured->source.rows = steps->size();
  const StepModels fitted = fit_steps(*steps, device->device);
  if (!fitted.power_limit())
    fmt::print(stderr, "no limit of power: too few long steps ran below the top clock\n");
  std::vector<ExecutedCopy> copies;
  for (const GridCopy& c : measured->grid.copies) {
    if (c.measured) copies.push_back({c.copy, *c.measured});
  }
  if (copies.empty()) fmt::print(stderr, "no copy was measured: those beside steps have generic times\n");
  const KernelCalibration calibration{.device = device->device.name,
                                      .date = provenance().date,
                                      .sources = {measured->source},
                                      .facts = measured->grid.facts,
                                      .gaps = fitted.gaps(),
                                      .power_limit = fitted.power_limit(),
                                      .parameters = fit_copies(copies, device->device),
                                      .models = fitted.models()};
  std::size_t few = 0;
  for (const auto& [key, model] : calibration.models) few += too_few(model.rows, model.values.size());
  if (const auto written = write_file(options.out, print_calibration(calibration)); !written)
    return tell(written.error(), failed);
  fmt::print(
      stderr,
      "{} kernels fitted to {} steps of {}; {} have fewer rows than parameters and lean on the middle of "
      "their ranges; written to {}\n",
      calibration.models.size(), steps->size(), device->device.name, few, options.out);
  return done;
}

}  // namespace inferometer
