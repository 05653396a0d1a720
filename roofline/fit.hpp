#pragma once
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "roofline/roofline.hpp"

namespace inferometer {

/// One measured node.
struct CalibrationPoint {
  std::string name;  ///< such as "bf16/1x300/down"
  AnyOperator op;
  Seconds time{0};  ///< as it usually is
  Surroundings surroundings;
  double weight = 1;  ///< how much this point's misfit counts
};

/// How well a fit explains its points: |predicted / measured - 1|.
struct FitQuality {
  double median_error = 0, p90_error = 0;
};

struct FitResult {
  Calibration calibration;
  FitQuality quality;
};

/// Fits the named parameters ("matrix_efficiency.bf16") to measured nodes: soft-L1 on the log of predicted /
/// measured, each parameter within the range its ParameterInfo allows, best of several starts. Deterministic.
FitResult fit(std::span<const CalibrationPoint> points, const std::vector<std::string>& names,
              const Device& device);

/// Minimises f over a box by Nelder and Mead's simplex ("A simplex method for function minimization", 1965).
/// start, low, high: one value per dimension; returns the best point seen.
std::vector<double> minimize(const std::function<double(const std::vector<double>&)>& f,
                             std::vector<double> start, std::span<const double> low,
                             std::span<const double> high, int evaluations);

}  // namespace inferometer
