#include "simulator/step_clock.hpp"

#include "roofline/steps/estimate_kernel.hpp"

namespace inferometer {

StepClock::StepClock(const Case& c, const Structure& structure, const Calibration& calibration) {
  if (c.cluster.device.kind == DeviceKind::gpu) limit_ = models_of(calibration).power_limit();
  if (limit_) work_.emplace(c, structure);
}

std::optional<double> StepClock::of(const StepTotals& totals, Nanoseconds at_top) {
  if (!limit_) return std::nullopt;
  return limit_->clock(work_->of(totals), at_top);
}

}  // namespace inferometer
