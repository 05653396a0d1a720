#include <fmt/format.h>

#include <cmath>

#include "model/seeded.hpp"
#include "roofline/kernels/call_named.hpp"
#include "roofline/parameters.hpp"
#include "scenarios/calibration_file.hpp"
#include "scenarios/yaml_text.hpp"

namespace inferometer {
namespace {

std::string numbers(const std::vector<float>& values) {
  std::string text;
  for (const float v : values) text += fmt::format("{}{}", text.empty() ? "" : ", ", v);
  return text;
}

std::string level_text(std::string_view level, const LevelFit& fit) {
  std::string text = fmt::format(
      "    {}:\n      median_error_percent: {:.6g}\n      p90_error_percent: {:.6g}\n      interval: {{",
      level, 100 * fit.median_error, 100 * fit.p90_error);
  for (const auto& [regime, spelling] : Names<Regime>::list) {
    const ErrorRange& r = fit.intervals[static_cast<std::size_t>(regime)];
    text += fmt::format("{}{}: [{:.9g}, {:.9g}]", regime == Regime::launch_bound ? "" : ", ", spelling,
                        std::exp(r.low), std::exp(r.high));
  }
  return text + "}\n";
}

std::string layer_text(const ResidualLayer::Kept& kept) {
  if (kept.points.empty()) return "    residual_layer: {points: []}\n";
  std::string text = fmt::format(
      "    residual_layer:\n      noise: {}\n      lengths: [{}]\n      alone: [{}]\n"
      "      points:  # features of a call, and log(measured / modelled)\n",
      kept.noise, numbers(kept.lengths), numbers(kept.alone));
  for (std::size_t i = 0; i < kept.points.size(); ++i)
    text += fmt::format("        - [{}, {}]\n", numbers(kept.points[i]), kept.log_ratios[i]);
  return text;
}

std::string model_text(const OperatorAndVariant& key, const FittedModel& model) {
  std::string text = fmt::format("  - operator: {}\n    variant: {}\n    rows: {}\n    parameters:\n",
                                 key.first, yaml_quoted(key.second), model.rows);
  const auto parameters = parameters_of(*call_named(key.first, key.second));
  for (std::size_t i = 0; i < parameters.size(); ++i)
    text += fmt::format("      {}: {{value: {:.9g}, unit: {}}}\n", parameters[i].name, model.values[i],
                        yaml_quoted(parameters[i].unit));
  return text + level_text("calibrated", model.calibrated) +
         level_text("residual_corrected", model.corrected) + layer_text(model.residual.kept());
}

}  // namespace

std::string content_hash(std::string_view text) { return fmt::format("{:016x}", tensor_key(0, text)); }

std::size_t hashed_from(std::string_view text) {
  for (std::size_t line = 0; line < text.size();) {
    const std::size_t end = std::min(text.find('\n', line), text.size() - 1) + 1;
    if (text.substr(line).starts_with("hash:")) return end;
    line = end;
  }
  return 0;
}

std::string print_calibration(const KernelCalibration& calibration) {
  std::string text = fmt::format("format: {}\ndevice: {}\ndate: {}\nsources:\n", calibration_format,
                                 yaml_quoted(calibration.device), yaml_quoted(calibration.date));
  for (const auto& source : calibration.sources)
    text += fmt::format("  - {{file: {}, rows: {}, hash: {}}}\n", yaml_quoted(source.file), source.rows,
                        yaml_quoted(source.hash));
  if (!calibration.facts.empty()) text += "facts:\n";
  for (const auto& [key, value] : calibration.facts)
    text += fmt::format("  {}: {}\n", yaml_quoted(key), yaml_quoted(value));
  if (!calibration.gaps.empty())
    text +=
        "gaps:  # between kernels of a step, and before and behind a library's, by how they are launched; "
        "dispatch: "
        "the host's time for a launch\n";
  for (const auto& [mode, gap] : calibration.gaps)
    text +=
        fmt::format("  {}: {{between: {:.6g} us, at_library: {:.6g} us{}}}\n", name(mode),
                    gap.between.count() * 1e6, gap.at_library.count() * 1e6,
                    gap.dispatch ? fmt::format(", dispatch: {:.6g} us", gap.dispatch->count() * 1e6) : "");
  if (const auto& limit = calibration.power_limit)
    text += fmt::format(
        "power_limit: {{memory: {:.6g}, compute: {:.6g}}}  # demand of each at its full rate, as part of "
        "what "
        "the limit leaves; clocks fall with its square root\n",
        limit->memory, limit->compute);
  if (!calibration.parameters.empty()) text += "parameters:  # of copies beside steps\n";
  for (const auto& [key, value] : calibration.parameters)
    text +=
        fmt::format("  {}: {{value: {:.9g}, unit: {}}}\n", key, value, yaml_quoted(parameter_info(key).unit));
  text +=
      "# Errors are those of calls whose shapes were left out of the fit. In nine of ten such calls the "
      "measured time\n"
      "# over the predicted one is within the interval of what sets the call's time.\n"
      "models:\n";
  for (const auto& [key, model] : calibration.models) text += model_text(key, model);
  return "# Written by `inferometer calibrate`. The hash is that of all lines below it.\nhash: " +
         yaml_quoted(content_hash(text)) + "\n" + text;
}

}  // namespace inferometer
