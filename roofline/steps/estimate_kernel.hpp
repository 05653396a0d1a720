#pragma once
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "roofline/calibration.hpp"
#include "roofline/estimate.hpp"
#include "roofline/steps/step_models.hpp"

namespace inferometer {

/// Times that were asked for before: the layers of a network ask for the same.
class KernelTimes {
 public:
  /// clock  of the multiprocessors, as part of their top clock
  KernelTimes(const Device& device, const Calibration& calibration, double clock)
      : device_(device), calibration_(calibration), clock_(clock) {}
  const Device& device() const { return device_; }
  double clock() const { return clock_; }
  bool executed() const;
  struct Timed {
    KernelPrediction prediction;
    const std::string* variant = nullptr;  ///< operator and variant
  };
  /// Valid as long as this object.
  const Timed& of(const StepCall& call);

 private:
  const Device& device_;
  const Calibration& calibration_;
  double clock_;
  std::map<std::pair<std::string, std::vector<double>>, Timed> known_;  ///< by variant and sizes
};

/// One kernel on a GPU.
struct KernelEstimate {
  std::vector<Estimate> nodes;                   ///< in their order
  Seconds time{0};                               ///< of the kernel, without the gap before it
  std::vector<const KernelTimes::Timed*> calls;  ///< whose sum that is
  bool of_library = false;
};

/// Estimates of one kernel on a GPU. The time is all with the node that takes most of it (main_node()), where
/// `launch` holds the models' floors, and `flops` or `bytes` what arithmetic or memory would take at the
/// device's peak; the others say what they ask for. Without calibration the models have generic values.
///
/// overlap   whether kernels are set up while the one before drains
/// requires  links on the device where a collective has ranks
KernelEstimate estimate_kernel(const Graph& graph, const NodeRange& kernel, KernelTimes& times,
                               LaunchMode mode);

/// Products before attention before the first.
std::size_t main_node(const Graph& graph, const NodeRange& kernel);

/// The models of a calibration, or generic ones.
const StepModels& models_of(const Calibration& calibration);

}  // namespace inferometer
