#include "cli/edges.hpp"
#include "cli/judgement.hpp"
#include "scenarios/calibration_file.hpp"
#include "scenarios/device_file.hpp"
#include "scenarios/files.hpp"

namespace inferometer {
namespace {

Result<ValidationOptions> options_of(const ValidateOptions& o) {
  const auto named = level_named(o.level);
  const auto split = value_named<SplitBy>(o.split);
  const auto fit_on = fraction_of(o.fit_on);
  Errors errors;
  if (!named)
    errors.push_back({"--level " + o.level + ": expected datasheet, calibrated or residual-corrected"});
  if (!split) errors.push_back({"--split " + o.split + ": expected " + expected_names<SplitBy>()});
  if (!fit_on)
    errors.push_back({"--fit-on " + o.fit_on + ": a part between 0 and 100 % is needed, such as 20%"});
  if (!errors.empty()) return failure(std::move(errors));
  return ValidationOptions{.level = *named, .fit_on = *fit_on, .split = *split, .seed = o.seed};
}

/// The calibration in `file`, which has to be of this device and of all that was measured.
Result<KernelCalibration> calibration_for(const std::vector<Sample>& samples, const std::string& file,
                                          const std::string& device) {
  const Result<std::string> text = read_file(file);
  if (!text) return failure(text.error());
  Result<KernelCalibration> calibration = read_calibration(*text, file);
  if (!calibration) return calibration;
  Errors errors;
  if (calibration->device != device)
    errors.push_back({"this is a calibration of " + calibration->device + ", not of " + device, {file}});
  for (const auto& [key, members] : by_variant(samples)) {
    if (!calibration->models.contains(key))
      errors.push_back({"nothing was fitted for " + key.first + " " + key.second, {file}});
  }
  if (!errors.empty()) return failure(std::move(errors));
  return calibration;
}

}  // namespace

int validate_kernels_command(const Context& context, const ValidateOptions& options) {
  const Result<ValidationOptions> how = options_of(options);
  if (!how) return tell(how.error(), wrong_input);
  const Result<DeviceFile> device = find_device(options.device, context.library);
  if (!device) return tell(device.error(), wrong_input);
  const Result<std::vector<AccuracyLimit>> limits = limits_in(options.require);
  if (!limits) return tell(limits.error(), wrong_input);
  const Result<MeasuredFiles> measured = read_measured_files(options.files, device->device);
  if (!measured) return tell(measured.error(), wrong_input);
  ValidationReport report = report_of(*measured, device->device.name, *how);
  report.calibration = options.calibration;
  if (options.calibration.empty()) {
    report.validations = validate(measured->samples, *how);
  } else {
    const Result<KernelCalibration> calibration =
        calibration_for(measured->samples, options.calibration, device->device.name);
    if (!calibration) return tell(calibration.error(), wrong_input);
    report.validations = validate(measured->samples, *calibration, how->level);
  }
  return judge(context, report, *limits);
}

}  // namespace inferometer
