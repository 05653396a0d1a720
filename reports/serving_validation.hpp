#pragma once
#include <string>
#include <vector>

#include "scenarios/limits_file.hpp"
#include "served/judge_points.hpp"

namespace inferometer {

/// Measured serving points beside their predictions.
struct ServingValidation {
  std::string file;
  JudgeOptions options;
  JudgedPoints judged;
};

/// For a terminal: errors of both times in percent, by engine, device, model and concurrency, without
/// anything fitted and with a profile of each engine on what it was not fitted to; the profiles, the worst
/// rows, and what is not predicted and why.
std::string serving_table(const ServingValidation& validation);
/// {rows: [{level, by, name, n, ttft_mape, ttft_bias, tpot_mape, tpot_bias}], profiles: [{engine,
/// constants}], points: [...]}, errors in percent. Summaries are of scored points; those of level "profiled"
/// leave out what was fitted to.
std::string serving_json(const ServingValidation& validation);

/// The limits that the errors exceed, each with both figures.
Errors unmet(const ServingValidation& validation, const std::vector<ServingLimit>& limits);

}  // namespace inferometer
