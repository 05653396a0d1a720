#pragma once
#include "model/case.hpp"
#include "simulator/predict.hpp"

namespace inferometer {

/// The case of one stage by itself. What the engine's host does for a step it does before the first.
Case stage_case(const Case& c, std::size_t stage);

/// predict() of a pipeline: one batch passes all stages, none of which waits for another batch.
Prediction predict_stages(const Case& c, const Structure& structure, const Features& features,
                          const Calibration& calibration);

}  // namespace inferometer
