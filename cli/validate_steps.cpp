#include <fmt/format.h>

#include <cmath>

#include "cli/edges.hpp"
#include "reports/steps_report.hpp"
#include "scenarios/calibration_file.hpp"
#include "scenarios/device_file.hpp"
#include "scenarios/files.hpp"
#include "scenarios/measure_steps.hpp"

namespace inferometer {
namespace {

/// What tells a GPU from the one that a device file describes: its multiprocessors, or a tenth of its memory.
/// returns  empty where it is that one, as far as the driver tells
std::string another_than(const Device& device, const FoundBackend& found) {
  if (found.processors == 0) return "";
  constexpr double gib = 1 << 30;
  const double memory = static_cast<double>(found.memory.value) / gib,
               stated = static_cast<double>(device.memory_capacity.value.value) / gib;
  if (found.processors == device.processors.value && std::abs(memory / stated - 1) < 0.1) return "";
  return fmt::format("is no {}: {} with {} multiprocessors and {:.1f} GiB, not {} and {:.1f}", device.name,
                     found.facts.at("GPU"), found.processors, memory, device.processors.value, stated);
}

}  // namespace

Done execute_grid(StepGrid& grid, const Device& device, const std::string& backend, int traces,
                  const std::string& title) {
  FoundBackend found = find_backend(backend, "");
  if (!found.backend) return failure(found.why_not);
  if (const std::string other = another_than(device, found); !other.empty())
    return failure("--backend " + backend + " " + other);
  const Result<std::vector<std::string>> refused =
      measure_steps(grid, *found.backend, traces, terminal_progress(title));
  if (!refused) return failure(refused.error());
  std::string not_measured;
  for (const std::string& why : *refused) not_measured += (not_measured.empty() ? "" : "; ") + why;
  const Provenance how = provenance();
  grid.facts = found.facts;
  grid.facts["date"] = how.date;
  grid.facts["machine"] = how.machine;
  grid.facts["revision"] = how.revision;
  if (!not_measured.empty()) grid.facts["not measured"] = not_measured;
  return std::monostate{};
}

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
  if (!options.calibration.empty()) {
    Result<Calibration> calibration = load_calibration(options.calibration, device->device);
    if (!calibration) return tell(calibration.error(), wrong_input);
    device->calibration = std::move(*calibration);
  }
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
    // A single one of a kernel that runs once a step may be several times too long.
    constexpr int traces = 15;
    if (const Done executed = execute_grid(*grid, device->device, options.backend, traces, "validate steps");
        !executed)
      return tell(executed.error(), failed);
    if (!options.out.empty()) {
      if (const Done written = write_file(options.out, print_grid(*grid)); !written)
        return tell(written.error(), failed);
    }
  }
  Result<JudgedGrid> judged = judge_steps(*grid, device->calibration);
  if (!judged) return tell(judged.error(), failed);
  const StepsReport report{device->device.name, device->calibration.source, grid->facts, std::move(*judged)};
  fmt::print("{}", context.json ? steps_json(report) : steps_table(report));
  return done;
}

}  // namespace inferometer
