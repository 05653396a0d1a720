#pragma once
#include <string>

#include "model/memory.hpp"
#include "simulator/predict.hpp"

namespace inferometer {

/// A single predicted step, as `inferometer predict` prints it.
struct PredictionReport {
  std::string model, phase;
  Case settings;
  Structure structure;
  Features features;
  Prediction prediction;
  MemoryUse memory;
};

/// {time_s, interval_s, interval_basis, level, bound, memory: {..._bytes, fits}, operators: [{name, count,
/// time_s, bound, flops, bytes}]}; operators are the nodes of one role together, longest first.
std::string prediction_json(const PredictionReport& report);
/// The same as a table for a terminal.
std::string prediction_table(const PredictionReport& report);

}  // namespace inferometer
