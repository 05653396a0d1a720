#pragma once
#include <optional>
#include <vector>

#include "roofline/power_limit.hpp"
#include "roofline/steps/step_calls.hpp"

namespace inferometer {

/// A kernel of an executed step.
struct StepSample {
  std::vector<StepCall> calls;
  Seconds exposed{0};  ///< by which the step ended later for it
};

/// An executed step: its kernels traced, and the whole of it untraced.
struct StepSamples {
  LaunchMode mode = LaunchMode::eager;
  Seconds untraced{0};
  std::optional<double> clock;  ///< while it was repeated, as part of the device's top clock
  UnitTimes work;
  std::vector<StepSample> kernels;
};

/// Longer steps are repeated until clocks have settled before they are timed.
inline constexpr Seconds long_step{2e-3};

bool multiplies(const StepSample& kernel);
/// Of all its kernels, and of those that multiply.
Seconds exposed(const StepSamples& step);
Seconds multiplying(const StepSamples& step);
/// Whether a device may have reached its limit of power: steps that end within a millisecond do not make it,
/// since it rests between them, nor do those whose clocks stayed where they were.
bool limited(const StepSamples& step);

}  // namespace inferometer
