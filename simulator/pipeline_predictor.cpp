#include "simulator/pipeline_predictor.hpp"

#include "model/launch.hpp"
#include "model/stages.hpp"
#include "roofline/hand_over.hpp"
#include "simulator/predict_stages.hpp"

namespace inferometer {

PipelinePredictor::PipelinePredictor(const Case& c, const Structure& structure,
                                     const Calibration& calibration)
    : device_(c.cluster.device), plan_(c.plan) {
  for (Stage& stage : stages_of(structure)) {
    parts_.push_back(std::make_unique<Part>(Part{
        .settings = stage_case(c, parts_.size()), .structure = std::move(stage.structure), .predictor = {}}));
    Part& part = *parts_.back();
    part.predictor = std::make_unique<StepPredictor>(part.settings, part.structure, calibration);
    if (stage.nodes.first > 0) handed_ = std::get<HandOver>(structure.nodes[stage.nodes.first - 1].op);
  }
}

Nanoseconds PipelinePredictor::time(std::size_t stage, const StepTotals& totals) {
  return parts_[stage]->predictor->time(totals);
}

Nanoseconds PipelinePredictor::hand_over(const StepTotals& totals) const {
  HandOver op = handed_;
  op.tokens = padded(totals, plan_).tokens();
  return to_ticks(estimate(op, device_).time());
}

}  // namespace inferometer
