#pragma once
#include <optional>
#include <string>
#include <vector>

#include "scenarios/limits_file.hpp"
#include "served/judge_points.hpp"
#include "served/replay.hpp"

namespace inferometer {

/// Measured serving points beside their predictions.
struct ServingValidation {
  std::string file;
  JudgeOptions options;
  JudgedPoints judged;
  std::optional<Replay> replay;  ///< of one run of a real engine, where its files are there
};

/// For a terminal: errors of both times in percent, by engine, device, model and concurrency, without
/// anything fitted and with a profile of each engine on what it was not fitted to; the profiles, the worst
/// rows, what is not predicted and why, and the replayed run.
std::string serving_table(const ServingValidation& validation);
/// {rows: [{level, by, name, n, ttft_mape, ttft_bias, tpot_mape, tpot_bias}], profiles: [{engine,
/// constants}], replay: {engine, requests, kv_blocks: {computed, engine}, latencies: [{latency, statistic,
/// predicted_ms, engine_ms, error_percent}]} or null, points: [...]}, errors in percent. Summaries are of
/// scored points; those of level "profiled" leave out what was fitted to.
std::string serving_json(const ServingValidation& validation);

/// The limits that the errors exceed, each with both figures.
Errors unmet(const ServingValidation& validation, const std::vector<ServingLimit>& limits);

}  // namespace inferometer
