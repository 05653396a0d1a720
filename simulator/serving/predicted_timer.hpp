#pragma once
#include <optional>

#include "simulator/pipeline_predictor.hpp"
#include "simulator/serving/batch_timer.hpp"

namespace inferometer {

/// Steps take what the closed form over their totals predicts, in each stage where there are several.
class PredictedTimer final : public BatchTimer {
 public:
  /// requires  the case, structure and calibration to outlive it
  PredictedTimer(const Case& c, const Structure& structure, const Calibration& calibration)
      : predictor_(c, structure, calibration) {
    if (c.plan.parallel.pipeline > 1) pipeline_.emplace(c, structure, calibration);
  }
  Result<Nanoseconds> time(const Batch& batch) override { return predictor_.time(batch.totals); }
  Done stage_times(const Batch& batch, StageTimes& out) override {
    if (!pipeline_) return BatchTimer::stage_times(batch, out);
    out.stages.clear();
    for (std::size_t s = 0; s < pipeline_->stages(); ++s)
      out.stages.push_back(pipeline_->time(s, batch.totals));
    out.hand_over = pipeline_->hand_over(batch.totals);
    return std::monostate{};
  }

 private:
  StepPredictor predictor_;
  std::optional<PipelinePredictor> pipeline_;
};

}  // namespace inferometer
