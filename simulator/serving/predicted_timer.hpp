#pragma once
#include "simulator/serving/batch_timer.hpp"
#include "simulator/step_predictor.hpp"

namespace inferometer {

/// Steps take what the closed form over their totals predicts.
class PredictedTimer final : public BatchTimer {
 public:
  /// requires  the case, structure and calibration to outlive it
  PredictedTimer(const Case& c, const Structure& structure, const Calibration& calibration)
      : predictor_(c, structure, calibration) {}
  Result<Nanoseconds> time(const Batch& batch) override { return predictor_.time(batch.totals); }

 private:
  StepPredictor predictor_;
};

}  // namespace inferometer
