#pragma once
#include <optional>

#include "roofline/calibration.hpp"
#include "roofline/power_limit.hpp"
#include "simulator/step_work.hpp"

namespace inferometer {

/// The clock at which a device's limit of power lets a step run.
class StepClock {
 public:
  /// requires  the case and structure to outlive it
  StepClock(const Case& c, const Structure& structure, const Calibration& calibration);
  /// As part of the top clock, of a step that takes `at_top` at that one; nothing where no limit is known.
  std::optional<double> of(const StepTotals& totals, Nanoseconds at_top);

 private:
  std::optional<PowerLimit> limit_;
  std::optional<StepWork> work_;
};

}  // namespace inferometer
