#pragma once
#include <vector>

#include "roofline/fitting/error_range.hpp"
#include "roofline/fitting/residual_layer.hpp"
#include "roofline/fitting/sample.hpp"

namespace inferometer {

/// What a model misses of a sample whose shape was left out when it was fitted.
struct OutOfFold {
  std::size_t sample = 0;
  ShapeError calibrated, corrected;  ///< without and with the residual layer, which was left out of too
};

/// Fits the model and the residual layer again without each tenth of the shapes (each shape, of fewer than
/// ten; each tenth of the samples where all are of one shape), and predicts what was left out: all samples,
/// or some of them where there are thousands. Values start from `values`, fitted to all samples, where they
/// are many; the residual layer keeps its lengths.
///
/// returns  nothing of a single sample
std::vector<OutOfFold> out_of_fold(const std::vector<Sample>& samples, const std::vector<double>& values,
                                   const ResidualLayer& residual);

}  // namespace inferometer
