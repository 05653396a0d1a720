#include "roofline/steps/step_models.hpp"

#include "roofline/fitting/fit_model.hpp"

namespace inferometer {

KernelPrediction StepModels::predict(const StepCall& call, const Device& device, Level level) const {
  const std::string op{operator_of(call.call)};
  const Chip chip = chip_of(device, multiplied_by(call.call));
  const std::string apart = call.variant.substr(0, call.variant.rfind("/overlap"));
  for (const std::string& variant : {call.variant, apart, variant_of(call.call)}) {
    if (const auto it = models_.find({op, variant}); it != models_.end())
      return it->second.predict(call.call, chip, level);
  }
  const KernelTime t = time_of(call.call, chip, generic_values(parameters_of(call.call)));
  return {.time = t.total, .low = 0, .high = 0, .regime = regime_of(t), .parts = t};
}

Seconds StepModels::gap(LaunchMode mode, const Device& device) const {
  const auto it = gaps_.find(mode);
  if (it != gaps_.end()) return it->second;
  const bool overlap = mode == LaunchMode::eager_overlap || mode == LaunchMode::graph_overlap;
  return overlap ? Seconds{0} : device.launch.value;
}

}  // namespace inferometer
