#include <fmt/format.h>

#include <charconv>

#include "cli/edges.hpp"
#include "reports/validation_report.hpp"
#include "scenarios/device_file.hpp"
#include "scenarios/files.hpp"

namespace inferometer {
namespace {

/// "20%" or "0.2".
std::optional<double> fraction_of(std::string_view text) {
  const bool percent = text.ends_with('%');
  if (percent) text.remove_suffix(1);
  double value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  if (percent) value /= 100;
  return value > 0 && value < 1 ? std::optional{value} : std::nullopt;
}

Result<ValidationOptions> options_of(const ValidateOptions& o) {
  std::string level = o.level;
  for (char& c : level) c = c == '-' ? '_' : c;
  const auto named = value_named<Level>(level);
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

}  // namespace

int validate_kernels_command(const Context& context, const ValidateOptions& options) {
  const Result<ValidationOptions> how = options_of(options);
  if (!how) return tell(how.error(), wrong_input);
  const Result<DeviceFile> device = find_device(options.device, context.library);
  if (!device) return tell(device.error(), wrong_input);
  Result<std::vector<AccuracyLimit>> limits = std::vector<AccuracyLimit>{};
  if (!options.require.empty()) {
    const Result<std::string> text = read_file(options.require);
    if (!text) return tell(text.error(), wrong_input);
    limits = read_limits(*text, options.require);
    if (!limits) return tell(limits.error(), wrong_input);
  }
  ValidationReport report{.device = device->device.name, .options = *how, .rows = {}, .validations = {}};
  std::vector<Sample> samples;
  for (const std::string& file : options.files) {
    const Result<std::string> text = read_file(file);
    if (!text) return tell(text.error(), wrong_input);
    Result<std::vector<Measurement>> rows = read_measurements(*text, file);
    if (!rows) return tell(rows.error(), wrong_input);
    for (Measurement& row : *rows) {
      samples.push_back({row.call, chip_of(device->device, multiplied_by(row.call)), row.microseconds});
      report.rows.push_back({std::filesystem::path{file}.filename().string(), std::move(row)});
    }
  }
  report.validations = validate(samples, *how);
  fmt::print("{}", context.json ? validation_json(report) : validation_table(report));
  if (const Errors errors = unmet(report, *limits); !errors.empty()) return tell(errors, failed);
  return done;
}

}  // namespace inferometer
