#pragma once
#include <string>
#include <vector>

#include "roofline/fitting/accuracy.hpp"
#include "roofline/fitting/kernel_calibration.hpp"
#include "roofline/fitting/split.hpp"

namespace inferometer {

struct ValidationOptions {
  Level level = Level::residual_corrected;
  double fit_on = 0.2;  ///< fraction of the samples; at level datasheet nothing is fitted
  SplitBy split = SplitBy::group;
  std::uint64_t seed = 1;
};

/// One call that was predicted without being fitted.
struct ValidatedCall {
  std::size_t sample = 0;  ///< its place among the samples
  Regime regime = Regime::launch_bound;
  Scored scored;
};

/// One operator and variant: what was fitted, and every call that was not.
struct Validation {
  std::string op, variant;
  std::size_t fitted = 0;  ///< samples
  std::vector<double> values;
  bool residual = false;  ///< whether the residual layer is on
  bool too_few = false;   ///< whether `fitted` samples do not determine the values
  bool intervals = true;  ///< whether anything tells how far calls are missed
  std::vector<ValidatedCall> calls;
};

/// Fits each operator and variant to a part of its samples and predicts the others, on all cores.
std::vector<Validation> validate(const std::vector<Sample>& samples, const ValidationOptions& options);

/// Predicts all samples by models that were fitted before, to other samples or to these.
///
/// requires  a model of each operator and variant, unless `level` is datasheet
std::vector<Validation> validate(const std::vector<Sample>& samples, const KernelCalibration& calibration,
                                 Level level);

}  // namespace inferometer
