#pragma once
#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "roofline/fitting/kernel_calibration.hpp"
#include "roofline/power_limit.hpp"
#include "roofline/steps/step_calls.hpp"

namespace inferometer {

/// What a call runs on where multiprocessors have so much of their top clock, which slows down those that
/// multiply.
Chip chip_at(const Device& device, const KernelCall& call, double clock);

/// By `model`, or with generic values where it is null.
KernelPrediction predict_by(const FittedModel* model, const KernelCall& call, const Chip& chip, Level level);

/// What kernels of one device and backend take, fitted to steps that were executed there.
class StepModels {
 public:
  StepModels() = default;
  StepModels(std::map<OperatorAndVariant, FittedModel> models, std::map<LaunchMode, Gaps> gaps,
             std::optional<PowerLimit> power_limit = {})
      : models_(std::move(models)), gaps_(std::move(gaps)), power_limit_(power_limit) {
    executed_ = std::any_of(models_.begin(), models_.end(),
                            [](const auto& m) { return m.first.first == PagedDecode::name; });
  }

  /// Of one kernel, without the gap before it: by the model for its variant, by that for the call alone where
  /// what runs beside it was never measured (with overlap before without), and by generic values where
  /// neither was.
  ///
  /// clock  of the multiprocessors, as part of their top clock
  KernelPrediction predict(const StepCall& call, const Device& device, Level level, double clock) const;
  /// The model that predict() asks; null where that is the generic one.
  const FittedModel* find(const StepCall& call) const;
  /// As the device file says where they were not measured; of the host's time for a launch, which is always
  /// told, the other eager mode before that.
  Gaps gaps(LaunchMode mode, const Device& device) const;

  /// Whether they are of the kernels that execute steps here.
  bool executed() const { return executed_; }

  const std::map<OperatorAndVariant, FittedModel>& models() const { return models_; }
  const std::map<LaunchMode, Gaps>& gaps() const { return gaps_; }
  /// Nothing where the device was never seen at it.
  const std::optional<PowerLimit>& power_limit() const { return power_limit_; }

 private:
  std::map<OperatorAndVariant, FittedModel> models_;
  std::map<LaunchMode, Gaps> gaps_;
  std::optional<PowerLimit> power_limit_;
  bool executed_ = false;
};

}  // namespace inferometer
