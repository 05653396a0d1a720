#include "roofline/steps/step_samples.hpp"

#include <algorithm>

namespace inferometer {

bool multiplies(const StepSample& kernel) {
  return std::any_of(kernel.calls.begin(), kernel.calls.end(),
                     [](const StepCall& c) { return multiplies(c.call); });
}

Seconds exposed(const StepSamples& step) {
  Seconds sum{0};
  for (const StepSample& k : step.kernels) sum += k.exposed;
  return sum;
}

Seconds multiplying(const StepSamples& step) {
  Seconds sum{0};
  for (const StepSample& k : step.kernels) sum += multiplies(k) ? k.exposed : Seconds{0};
  return sum;
}

bool limited(const StepSamples& step) {
  constexpr Seconds shortest{1e-3};
  return step.untraced >= shortest && !(step.clock && *step.clock >= lowered_clock);
}

}  // namespace inferometer
