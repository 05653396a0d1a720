#pragma once
#include <optional>

#include "simulator/serving/batch_timer.hpp"
#include "simulator/step_predictor.hpp"
#include "simulator/step_work.hpp"

namespace inferometer {

/// Steps take what the closed form over their totals predicts. What they draw is added up on the way.
class PredictedTimer final : public BatchTimer {
 public:
  /// requires  the case, structure and calibration to outlive it
  PredictedTimer(const Case& c, const Structure& structure, const Calibration& calibration)
      : predictor_(c, structure, calibration),
        work_(c, structure),
        power_(PowerModel::of(c.cluster.device)) {}
  Result<Nanoseconds> time(const Batch& batch) override {
    const Nanoseconds time = predictor_.time(batch.totals);
    if (power_) above_idle_ += power_->above_idle(work_.of(batch.totals), time);
    return time;
  }
  /// Beyond idle power, of one device of each instance over all steps so far; nothing where the device file
  /// lacks a power.
  std::optional<Joules> above_idle() const { return power_ ? std::optional{above_idle_} : std::nullopt; }

 private:
  StepPredictor predictor_;
  StepWork work_;
  std::optional<PowerModel> power_;
  Joules above_idle_{0};
};

}  // namespace inferometer
