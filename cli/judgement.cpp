#include "cli/judgement.hpp"

#include <fmt/format.h>

#include <charconv>

#include <algorithm>

#include "cli/edges.hpp"
#include "scenarios/files.hpp"

namespace inferometer {

std::optional<Level> level_named(std::string text) {
  std::replace(text.begin(), text.end(), '-', '_');
  return value_named<Level>(text);
}

std::optional<double> fraction_of(std::string_view text) {
  const bool percent = text.ends_with('%');
  if (percent) text.remove_suffix(1);
  double value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  if (percent) value /= 100;
  return value > 0 && value < 1 ? std::optional{value} : std::nullopt;
}

Result<std::vector<AccuracyLimit>> limits_in(const std::string& file) {
  if (file.empty()) return std::vector<AccuracyLimit>{};
  const Result<std::string> text = read_file(file);
  if (!text) return failure(text.error());
  return read_limits(*text, file);
}

ValidationReport report_of(const MeasuredFiles& measured, const std::string& device,
                           const ValidationOptions& options) {
  ValidationReport report{.device = device,
                          .calibration = "",
                          .options = options,
                          .rows = {},
                          .validations = {},
                          .fitted_on = {},
                          .not_predicted = {}};
  for (const MeasuredFiles::File& file : measured.files) {
    for (const Measurement& row : file.rows) report.rows.push_back({file.name, row});
  }
  return report;
}

int judge(const Context& context, const ValidationReport& report, const std::vector<AccuracyLimit>& limits) {
  for (const Validation& v : report.validations) {
    if (v.too_few) warn_of_few(v.op, v.variant, v.fitted, v.values.size());
  }
  fmt::print("{}", context.json ? validation_json(report) : validation_table(report));
  if (const Errors errors = unmet(report, limits); !errors.empty()) return tell(errors, failed);
  return done;
}

}  // namespace inferometer
