#pragma once
#include <optional>
#include <vector>

#include "model/case.hpp"
#include "model/graph.hpp"
#include "model/timeline.hpp"
#include "roofline/calibration.hpp"
#include "roofline/estimate.hpp"

namespace inferometer {

/// One predicted step.
struct Prediction {
  Timeline timeline;             ///< one span per kernel, gaps, and the copy beside them on stream 1
  std::vector<Estimate> nodes;   ///< of Structure::nodes: each alone
  std::optional<Estimate> copy;  ///< the copy beside the step, alone
  Level level = Level::datasheet;
};

/// Predicts one step: each node's time alone from roofline/, then the event run over streams and the host
/// thread.
Prediction predict(const Case& c, const Structure& structure, const Features& features,
                   const Calibration& calibration);

}  // namespace inferometer
