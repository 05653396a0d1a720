#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "cli/edges.hpp"
#include "cli/judgement.hpp"
#include "roofline/fitting/transfer.hpp"
#include "scenarios/device_file.hpp"
#include "scenarios/files.hpp"

namespace inferometer {
namespace {

/// The files of a device in `data` that time kernels which have a model; the others are said on stderr.
Result<std::vector<std::string>> files_of(const std::filesystem::path& data, std::string device) {
  std::replace(device.begin(), device.end(), '-', '_');
  const std::filesystem::path folder = data / device;
  std::error_code none;
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder, none)) {
    if (entry.path().extension() != ".csv") continue;
    const Result<std::string> text = read_file(entry.path());
    if (!text) return failure(text.error());
    if (times_known_kernels(*text)) {
      files.push_back(entry.path().string());
    } else {
      fmt::print(stderr, "not read: {}: no kernel has its columns\n", entry.path().string());
    }
  }
  if (files.empty())
    return failure("no measured kernels: a folder with CSV files is needed", {folder.string()});
  std::sort(files.begin(), files.end());
  return files;
}

struct MeasuredDevice {
  std::string name;
  MeasuredFiles measured;
};

Result<MeasuredDevice> measured_device(const Context& context, const std::filesystem::path& data,
                                       const std::string& name) {
  const Result<DeviceFile> device = find_device(name, context.library);
  if (!device) return failure(device.error());
  const Result<std::vector<std::string>> files = files_of(data, device->device.name);
  if (!files) return failure(files.error());
  Result<MeasuredFiles> measured = read_measured_files(*files, device->device);
  if (!measured) return failure(measured.error());
  return MeasuredDevice{device->device.name, std::move(*measured)};
}

}  // namespace

int validate_transfer_command(const Context& context, const TransferCommandOptions& options) {
  const auto level = level_named(options.level);
  if (!level || *level == Level::datasheet)
    return tell({{"--level " + options.level + ": expected calibrated or residual-corrected"}}, wrong_input);
  const Result<std::vector<AccuracyLimit>> limits = limits_in(options.require);
  if (!limits) return tell(limits.error(), wrong_input);
  const Result<std::filesystem::path> data = data_folder(options.data);
  if (!data) return tell(data.error(), wrong_input);
  const Result<MeasuredDevice> on = measured_device(context, *data, options.on);
  if (!on) return tell(on.error(), wrong_input);
  ValidationReport report =
      report_of(on->measured, on->name, {.level = *level, .fit_on = 0, .seed = options.seed});
  std::vector<std::vector<Sample>> fitted;
  for (const std::string& name : options.fit) {
    Result<MeasuredDevice> device = measured_device(context, *data, name);
    if (!device) return tell(device.error(), wrong_input);
    if (device->name == on->name)
      return tell({{"--fit " + name + ": this is the device to predict"}}, wrong_input);
    if (std::find(report.fitted_on.begin(), report.fitted_on.end(), device->name) != report.fitted_on.end())
      return tell({{"--fit " + name + ": given twice"}}, wrong_input);
    report.fitted_on.push_back(device->name);
    fitted.push_back(std::move(device->measured.samples));
  }
  Transfer result = transfer(fitted, on->measured.samples, {.level = *level, .seed = options.seed});
  report.validations = std::move(result.validations);
  report.not_predicted = std::move(result.not_predicted);
  return judge(context, report, *limits);
}

}  // namespace inferometer
