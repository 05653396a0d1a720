#pragma once
#include <functional>
#include <vector>

namespace inferometer {

/// Residuals of a model at a point of the unit cube, one a sample.
using Residuals = std::function<std::vector<double>(const std::vector<double>&)>;

struct LeastSquaresOptions {
  double scale = 0.05;  ///< residuals well beyond it count by their size, not by its square (soft L1)
  int iterations = 40;
};

struct LeastSquaresResult {
  std::vector<double> at;
  double loss = 0;  ///< mean soft L1
};

/// Levenberg and Marquardt's method within the unit cube, with differences for derivatives and each sample
/// reweighted by its soft-L1 loss.
/// source  Marquardt, "An algorithm for least-squares estimation of nonlinear parameters", SIAM 11(2), 1963;
///         Triggs et al., "Bundle adjustment: a modern synthesis", 2000, section 4.3
LeastSquaresResult least_squares(const Residuals& residuals, std::vector<double> start,
                                 const LeastSquaresOptions& options);

}  // namespace inferometer
