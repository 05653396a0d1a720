#pragma once
#include <array>
#include <vector>

#include "roofline/estimate.hpp"
#include "roofline/fitting/error_range.hpp"
#include "roofline/fitting/residual_layer.hpp"
#include "roofline/fitting/sample.hpp"

namespace inferometer {

/// A predicted time [us] and the range that nine of ten calls were measured in.
struct KernelPrediction {
  double time = 0, low = 0, high = 0;
  Regime regime = Regime::launch_bound;
  KernelTime parts = {};  ///< that add up as the model has them, scaled to `time`
};

/// What predictions of one level miss of shapes that were not fitted.
struct LevelFit {
  std::array<ErrorRange, 4> intervals{};   ///< by regime
  double median_error = 0, p90_error = 0;  ///< |predicted / measured - 1| of shapes left out
};

/// One kernel model with the values fitted for one operator and variant.
struct FittedModel {
  std::size_t rows = 0;  ///< samples that it was fitted to
  std::vector<double> values;
  ResidualLayer residual;
  LevelFit calibrated, corrected;

  FittedModel() = default;
  /// Fits to `samples`, at least one, all of one operator and variant. Refits without some of their shapes
  /// tell how far unseen shapes are missed: the intervals.
  explicit FittedModel(const std::vector<Sample>& samples);

  /// level  calibrated or residual_corrected
  KernelPrediction predict(const KernelCall& call, const Chip& chip, Level level) const;
};

}  // namespace inferometer
