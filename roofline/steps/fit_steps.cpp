#include "roofline/steps/fit_steps.hpp"

#include <algorithm>
#include <optional>

#include "model/quantile.hpp"
#include "roofline/steps/fit_gaps.hpp"
#include "roofline/steps/step_clocks.hpp"

namespace inferometer {
namespace {

/// Whether it attends single tokens and prompts, in this order.
bool attends_both(const StepSample& kernel) {
  return kernel.calls.size() == 2 && std::holds_alternative<PagedDecode>(kernel.calls[0].call) &&
         std::holds_alternative<ContextAttention>(kernel.calls[1].call);
}

/// Kernels of a step that do the same in several layers, by their first call.
struct Kind {
  const StepSample* kernel = nullptr;
  std::vector<double> exposed;  ///< [s], one a layer
};
std::map<std::pair<OperatorAndVariant, std::string>, Kind> kinds_of(const StepSamples& step) {
  std::map<std::pair<OperatorAndVariant, std::string>, Kind> kinds;
  for (const StepSample& k : step.kernels) {
    if ((k.calls.size() != 1 && !attends_both(k)) || k.exposed <= Seconds{0}) continue;
    const StepCall& c = k.calls.front();
    Kind& kind = kinds[{{std::string{operator_of(c.call)}, c.variant}, label_of(c.call)}];
    kind.kernel = &k;
    kind.exposed.push_back(k.exposed.count());
  }
  return kinds;
}

/// Two calls of which the second's time is known.
struct Beside {
  Sample both;
  StepCall prompts;
  double clock;
};
/// What is left of both below this is the error of the second [us].
constexpr double shortest_left = 1;

}  // namespace

StepModels fit_steps(const std::vector<StepSamples>& steps, const Device& device) {
  const StepModels between({}, fit_gaps(steps));
  std::map<OperatorAndVariant, std::vector<Sample>> samples;
  std::vector<std::pair<OperatorAndVariant, Beside>> beside;
  const std::optional<PowerLimit> power_limit = power_limit_of(steps, between, device);
  for (const StepSamples& step : steps) {
    const Gaps gaps = between.gaps(step.mode, device);
    const double stretch = stretch_of(step, gaps);
    const double clock = power_limit ? clock_of(step, gaps, *power_limit, device) : 1;
    for (auto& [key, of] : kinds_of(step)) {
      const KernelCall& call = of.kernel->calls.front().call;
      // The first layer's products find none of their weights fetched ahead: short networks have too much of
      // it.
      // Of two, such as the first and the last norm of a network, the mean: a step has the sum of both.
      std::sort(of.exposed.begin(), of.exposed.end());
      const double exposed = quantile_of_sorted(of.exposed, 0.5);
      const Sample sample{call, chip_at(device, call, clock),
                          1e6 * (multiplies(*of.kernel) ? stretch : 1) * exposed};
      if (attends_both(*of.kernel)) {
        beside.push_back({key.first, {sample, of.kernel->calls[1], clock}});
      } else {
        samples[key.first].push_back(sample);
      }
    }
  }
  std::map<OperatorAndVariant, FittedModel> models = fit_kernels(samples);
  const StepModels alone(models, between.gaps());
  samples.clear();
  for (auto& [key, of] : beside) {
    of.both.measured -= alone.predict(of.prompts, device, Level::residual_corrected, of.clock).time;
    if (of.both.measured > shortest_left) samples[key].push_back(of.both);
  }
  models.merge(fit_kernels(samples));
  return {std::move(models), between.gaps(), power_limit};
}

}  // namespace inferometer
