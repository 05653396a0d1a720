#pragma once
#include <optional>
#include <string_view>

#include "cli/commands.hpp"
#include "cli/measured_files.hpp"
#include "reports/validation_report.hpp"

namespace inferometer {

/// A level as it is written on the command line: "residual-corrected".
std::optional<Level> level_named(std::string text);

/// A part between 0 and 1: "20%" or "0.2".
std::optional<double> fraction_of(std::string_view text);

/// The limits in `file`, none where it is empty.
Result<std::vector<AccuracyLimit>> limits_in(const std::string& file);

/// A report of these rows, without validations.
ValidationReport report_of(const MeasuredFiles& measured, const std::string& device,
                           const ValidationOptions& options);

/// Prints the report and warns of fits to few rows.
/// returns  the exit code: failed where a limit is exceeded, which is told
int judge(const Context& context, const ValidationReport& report, const std::vector<AccuracyLimit>& limits);

}  // namespace inferometer
