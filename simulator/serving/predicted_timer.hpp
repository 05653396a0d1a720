#pragma once
#include <optional>

#include "simulator/pipeline_predictor.hpp"
#include "simulator/serving/batch_timer.hpp"
#include "simulator/step_work.hpp"

namespace inferometer {

/// Steps take what the closed form over their totals predicts, in each stage where there are several. What
/// they draw is added up on the way.
class PredictedTimer final : public BatchTimer {
 public:
  /// requires  the case, structure and calibration to outlive it
  PredictedTimer(const Case& c, const Structure& structure, const Calibration& calibration)
      : predictor_(c, structure, calibration), work_(c, structure), power_(power_model_of(c)) {
    if (c.plan.parallel.pipeline > 1) pipeline_.emplace(c, structure, calibration);
  }
  Result<Nanoseconds> time(const Batch& batch) override {
    const Nanoseconds time = predictor_.time(batch.totals);
    draw(batch.totals, time);
    return time;
  }
  /// Of a step that nobody runs: what it draws is not added. Where there are stages, one after the other.
  Nanoseconds predict(const StepTotals& totals) { return predictor_.time(totals); }
  Done stage_times(const Batch& batch, StageTimes& out) override {
    if (!pipeline_) return BatchTimer::stage_times(batch, out);
    out.stages.clear();
    Nanoseconds all{0};
    for (std::size_t s = 0; s < pipeline_->stages(); ++s) {
      out.stages.push_back(pipeline_->time(s, batch.totals));
      all += out.stages.back();
    }
    out.hand_over = pipeline_->hand_over(batch.totals);
    draw(batch.totals, all);
    return std::monostate{};
  }
  /// Beyond idle power, over all steps so far: of those devices of an instance that share each layer, one,
  /// which has the work of all stages; nothing where the device file lacks a power.
  std::optional<Joules> above_idle() const { return power_ ? std::optional{above_idle_} : std::nullopt; }

 private:
  void draw(const StepTotals& totals, Nanoseconds time) {
    if (power_) above_idle_ += power_->above_idle(work_.of(totals), time);
  }

  StepPredictor predictor_;
  std::optional<PipelinePredictor> pipeline_;
  StepWork work_;
  std::optional<PowerModel> power_;
  Joules above_idle_{0};
};

}  // namespace inferometer
