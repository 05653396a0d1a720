#pragma once
#include <string>
#include <vector>

#include "roofline/fitting/validation.hpp"
#include "scenarios/limits_file.hpp"
#include "scenarios/measurements.hpp"

namespace inferometer {

/// Kernel models against the measurements of one or several files.
struct ValidationReport {
  std::string device;
  std::string calibration;  ///< file that rows were judged by; empty: a part of them was fitted
  ValidationOptions options;
  struct Row {
    std::string file;
    Measurement measurement;
  };
  std::vector<Row> rows;  ///< what the samples of the validations were made of, in their order
  std::vector<Validation> validations;
  std::vector<std::string> fitted_on;  ///< devices that predict this one; empty: fitted to its own rows
  std::vector<OperatorAndVariant> not_predicted;  ///< that none of these devices has
};

/// For a terminal: errors in percent by operator, dtype and regime, the fitted parameters, the worst rows.
std::string validation_table(const ValidationReport& report);
/// {rows: [{file, operator, dtype, regime, n, median_ape, mape, p90_ape, bias, coverage}], worst: [...]},
/// errors in percent; a row of regime "all" for each operator and dtype of a file,
/// and one of dtype "all" where a file has several. coverage is null at level
/// datasheet and where a single other device was fitted to, which have no intervals. Of other devices
/// also {fitted_on: [device], not_predicted: [{operator, dtype}]}.
std::string validation_json(const ValidationReport& report);

/// The limits for this device and level that the report exceeds, each with both figures; limits of
/// operators that the files do not time say nothing.
Errors unmet(const ValidationReport& report, const std::vector<AccuracyLimit>& limits);

}  // namespace inferometer
