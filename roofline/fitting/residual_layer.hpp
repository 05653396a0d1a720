#pragma once
#include <vector>

#include "roofline/fitting/sample.hpp"

namespace inferometer {

/// What a fitted model leaves unexplained near calls that were measured: a Gaussian process over log(measured
/// / modelled), Matérn 3/2, with one length for each feature; to that is added one over the feature in
/// which calls of a shape differ, where that is one and matters by itself, as a number of rows does for which
/// a library has no fitting tile, whatever the weights. Far from every measured call the first is 0, far from
/// every measured value of that feature the second, so that the model alone speaks; the layer is off where
/// leaving whole shapes out shows that it does not help.
///
/// source  Rasmussen, Williams, "Gaussian Processes for Machine Learning", 2006, chapters 2, 4 and 5.4.2;
///         sums over single features: Duvenaud, Nickisch, Rasmussen, "Additive Gaussian Processes", 2011
class ResidualLayer {
 public:
  ResidualLayer() = default;
  /// log_ratios  log(measured / modelled), one a sample, counted up to 1 in either direction
  ResidualLayer(const std::vector<Sample>& samples, const std::vector<double>& log_ratios);

  /// What a layer is made of. In single precision, so that its text is short and reads back the same.
  struct Kept {
    std::vector<float> lengths = {};  ///< octaves, one a feature
    std::vector<float> alone = {};    ///< of a feature by itself; 0: it does not matter so
    float noise = 0;                  ///< variance that no neighbour shares; 1: as much as the first shares
    std::vector<std::vector<float>> points = {};  ///< features of calls; none: the layer is off
    std::vector<float> log_ratios = {};           ///< log(measured / modelled), one a point
  };
  /// requires  lengths, alone and each point of as many features, as many log ratios as points, positive
  /// noise
  explicit ResidualLayer(Kept kept);

  /// A layer over other samples, with the lengths of this one; off where this one is.
  ResidualLayer again(const std::vector<Sample>& samples, const std::vector<double>& log_ratios) const;

  bool on() const { return !kept_.points.empty(); }
  const Kept& kept() const { return kept_; }
  /// log of the factor that the model's time is multiplied with.
  double at(const KernelCall& call) const;

 private:
  Kept kept_;
  std::vector<double> weights_;  ///< one a point
};

}  // namespace inferometer
