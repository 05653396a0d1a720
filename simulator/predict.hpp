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
  std::optional<Interval> interval;  ///< of the step's time, 90 %, where the kernels' are known
  /// Of a GPU's multiprocessors, as part of their top clock, of the slowest stage; nothing where no limit of
  /// power is known.
  std::optional<double> clock;
  std::vector<Seconds> gaps;  ///< counted with each node's launch; those between a GPU's kernels
};

/// Predicts one step: each node's time alone from roofline/ (on a GPU each kernel's, from the kernel models),
/// then the event run over streams and the host thread. Where that asks for more than a device's limit of
/// power, it is done again at the clock that the limit leaves. A copy over the host link shares memory with
/// the step; one within the device is before it. The stages of a pipeline run one after another, each with a
/// host of its own, with what they hand on between them; their spans are on the stream of the stage's number,
/// from 0.
Prediction predict(const Case& c, const Structure& structure, const Features& features,
                   const Calibration& calibration);

}  // namespace inferometer
