#pragma once
#include <array>
#include <vector>

#include "roofline/estimate.hpp"
#include "roofline/fitting/residual_layer.hpp"
#include "roofline/fitting/sample.hpp"

namespace inferometer {

/// A predicted time [us] and the range that nine of ten calls were measured in.
struct KernelPrediction {
  double time = 0, low = 0, high = 0;
  Regime regime = Regime::launch_bound;
  KernelTime parts = {};  ///< that add up as the model has them, scaled to `time`
};

/// One kernel model with the values fitted for one operator and variant.
class FittedModel {
 public:
  /// Fits to `samples`, at least one, all of one operator and variant. Where there are five shapes or more,
  /// refits without each fifth of them tell how far unseen shapes are missed: the intervals.
  explicit FittedModel(const std::vector<Sample>& samples);

  /// level  calibrated or residual_corrected
  KernelPrediction predict(const KernelCall& call, const Chip& chip, Level level) const;
  const std::vector<double>& values() const { return values_; }
  const ResidualLayer& residual() const { return residual_; }

 private:
  struct Interval {
    double low = 0, high = 0;  ///< log(measured / predicted)
  };
  using Intervals = std::array<Interval, 4>;  ///< by regime
  Intervals intervals_of(const std::vector<Sample>& samples, const std::vector<double>& errors) const;

  std::vector<double> values_;
  ResidualLayer residual_;
  Intervals calibrated_{}, corrected_{};
};

}  // namespace inferometer
