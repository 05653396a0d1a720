#pragma once
#include <memory>
#include <vector>

#include "simulator/step_predictor.hpp"

namespace inferometer {

/// Times of steps in each stage of a pipeline, and of what passes between two of them, in closed form. Of a
/// batch that meets no other, the sum is predict()'s timeline.end.
///
/// requires  the calibration to outlive it, and links on the device
class PipelinePredictor {
 public:
  PipelinePredictor(const Case& c, const Structure& structure, const Calibration& calibration);

  std::size_t stages() const { return parts_.size(); }
  Nanoseconds time(std::size_t stage, const StepTotals& totals);
  /// From a stage to the next one.   requires  two stages or more
  Nanoseconds hand_over(const StepTotals& totals) const;

 private:
  struct Part {
    Case settings;
    Structure structure;
    std::unique_ptr<StepPredictor> predictor;  // refers to both
  };
  std::vector<std::unique_ptr<Part>> parts_;
  Device device_;
  Plan plan_;
  HandOver handed_;
};

}  // namespace inferometer
