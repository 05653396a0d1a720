#pragma once
#include <vector>

#include "roofline/fitting/sample.hpp"

namespace inferometer {

/// What a fitted model leaves unexplained near calls that were measured: a Gaussian process over log(measured
/// / modelled), Matérn 3/2, with one length for each feature. Far from every measured call it is 0, so that
/// the model alone speaks; it is off where leaving whole shapes out shows that it does not help.
///
/// source  Rasmussen, Williams, "Gaussian Processes for Machine Learning", 2006, chapters 2, 4 and 5.4.2
class ResidualLayer {
 public:
  ResidualLayer() = default;
  /// log_ratios  log(measured / modelled), one a sample, counted up to 1 in either direction
  ResidualLayer(const std::vector<Sample>& samples, const std::vector<double>& log_ratios);

  bool on() const { return on_; }
  /// log of the factor that the model's time is multiplied with.
  double at(const KernelCall& call) const;
  /// What remains of each sample's log ratio when its whole shape is left out of the layer: 0-based as the
  /// samples were given; the log ratios themselves where the layer is off.
  const std::vector<double>& left_out() const { return left_out_; }

 private:
  bool on_ = false;
  std::vector<double> lengths_;
  std::vector<std::vector<double>> points_;
  std::vector<double> weights_;
  std::vector<double> left_out_;
};

}  // namespace inferometer
