#pragma once
#include <map>
#include <string>

#include "scenarios/judge_steps.hpp"

namespace inferometer {

/// What `validate steps` says: every executed step beside its prediction, errors in percent by operator and
/// over all steps, and memory.
struct StepsReport {
  std::string device, calibration;           ///< calibration: its source
  std::map<std::string, std::string> facts;  ///< of the measurement
  JudgedGrid judged;
};

std::string steps_table(const StepsReport& report);
std::string steps_json(const StepsReport& report);

}  // namespace inferometer
