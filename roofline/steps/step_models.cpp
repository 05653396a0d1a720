#include "roofline/steps/step_models.hpp"

#include <array>

namespace inferometer {

const FittedModel* StepModels::find(const StepCall& call) const {
  const std::string op{operator_of(call.call)};
  const std::string apart = call.variant.substr(0, call.variant.rfind("/overlap")),
                    plain = variant_of(call.call);
  for (const std::string& variant : {call.variant, apart + "/overlap", apart, call.alone + "/overlap",
                                     call.alone, plain + "/overlap", plain}) {
    if (const auto it = models_.find({op, variant}); it != models_.end()) return &it->second;
  }
  return nullptr;
}

KernelPrediction predict_by(const FittedModel* model, const KernelCall& call, const Chip& chip, Level level) {
  if (model != nullptr) return model->predict(call, chip, level);
  const auto specs = parameters_of(call);
  std::array<double, 16> generic{};
  for (std::size_t i = 0; i < specs.size(); ++i) generic[i] = specs[i].generic;
  const KernelTime t = time_of(call, chip, Values{generic.data(), specs.size()});
  return {.time = t.total, .low = 0, .high = 0, .regime = regime_of(t), .parts = t};
}

Chip chip_at(const Device& device, const KernelCall& call, double clock) {
  const Chip chip = chip_of(device, multiplied_by(call));
  return multiplies(call) ? chip.at_clock(clock) : chip;
}

KernelPrediction StepModels::predict(const StepCall& call, const Device& device, Level level,
                                     double clock) const {
  return predict_by(find(call), call.call, chip_at(device, call.call, clock), level);
}

Gaps StepModels::gaps(LaunchMode mode, const Device& device) const {
  const Seconds gap = overlaps(mode) ? Seconds{0} : device.launch.value;
  const auto it = gaps_.find(mode);
  Gaps gaps = it != gaps_.end() ? it->second : Gaps{gap, gap};
  if (recorded(mode)) {
    gaps.dispatch = Seconds{0};
  } else if (!gaps.dispatch) {
    const auto other = gaps_.find(mode == LaunchMode::eager ? LaunchMode::eager_overlap : LaunchMode::eager);
    gaps.dispatch =
        other != gaps_.end() && other->second.dispatch ? other->second.dispatch : device.host_dispatch.value;
  }
  return gaps;
}

}  // namespace inferometer
