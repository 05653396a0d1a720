#include "simulator/step_clock.hpp"

#include "roofline/steps/estimate_kernel.hpp"

namespace inferometer {

StepClock::StepClock(const Case& c, const Structure& structure, const Calibration& calibration) {
  if (c.cluster.device.kind == DeviceKind::gpu) limit_ = models_of(calibration).power_limit();
  if (limit_) work_.emplace(c, structure);
}

double StepClock::of(const StepTotals& totals, Nanoseconds at_top) {
  return limit_ ? limit_->clock(work_->of(totals), at_top) : 1;
}

}  // namespace inferometer
