#pragma once
#include "model/backend.hpp"
#include "simulator/predict.hpp"

namespace inferometer {

/// A step and the copy that begins with it: what each takes alone, and beside the other from their common
/// start.
struct BesideTimes {
  Nanoseconds step_alone{}, copy_alone{};
  Nanoseconds step{}, copy{};
  Nanoseconds both{};  ///< until the later of the two has ended

  /// (step alone + copy alone - both) / the shorter of the two alone: 1 where that one is hidden, 0 where one
  /// after the other would take as long, below 0 where they hinder each other.
  double overlap() const;
  /// How many times as long the step takes for the copy.
  double stretch() const;
};

/// together: the prediction of a step of `features`, which has a copy beside it
BesideTimes predict_beside(const Case& c, const Structure& structure, const Features& features,
                           const Calibration& calibration, const Prediction& together);

/// Medians of `repeats` rounds in which the step alone, the copy alone and both are timed in turn.
/// step: one with a copy beside it and all its tokens
[[nodiscard]] Result<BesideTimes> measure_beside(StepTimer& timer, const Step& step, std::int64_t repeats);

}  // namespace inferometer
