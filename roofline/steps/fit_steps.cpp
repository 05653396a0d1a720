#include "roofline/steps/fit_steps.hpp"

#include <algorithm>

#include "model/nearest_rank.hpp"

namespace inferometer {
namespace {

Seconds exposed(const StepSamples& step) {
  Seconds sum{0};
  for (const StepSample& k : step.kernels) sum += k.exposed;
  return sum;
}

/// Steps that end within a millisecond do not make a device reach its power limit.
constexpr Seconds shortest_limited{1e-3};

std::map<LaunchMode, Seconds> gaps_of(const std::vector<StepSamples>& steps) {
  std::map<LaunchMode, std::vector<double>> all;
  for (const StepSamples& step : steps) {
    if (step.untraced < shortest_limited)
      all[step.mode].push_back((step.untraced - exposed(step)).count() /
                               static_cast<double>(step.kernels.size()));
  }
  std::map<LaunchMode, Seconds> gaps;
  for (auto& [mode, each] : all) gaps[mode] = Seconds{std::max(0.0, nearest_rank(std::move(each), 0.25))};
  return gaps;
}

/// Whether it attends single tokens and prompts, in this order.
bool attends_both(const StepSample& kernel) {
  return kernel.calls.size() == 2 && std::holds_alternative<PagedDecode>(kernel.calls[0].call) &&
         std::holds_alternative<ContextAttention>(kernel.calls[1].call);
}

/// Kernels of a step that do the same in several layers, by their first call.
struct Kind {
  const StepSample* kernel = nullptr;
  Seconds exposed{0};
  std::int64_t count = 0;
};
std::map<std::pair<OperatorAndVariant, std::string>, Kind> kinds_of(const StepSamples& step) {
  std::map<std::pair<OperatorAndVariant, std::string>, Kind> kinds;
  for (const StepSample& k : step.kernels) {
    if ((k.calls.size() != 1 && !attends_both(k)) || k.exposed <= Seconds{0}) continue;
    const StepCall& c = k.calls.front();
    Kind& kind = kinds[{{std::string{operator_of(c.call)}, c.variant}, label_of(c.call)}];
    kind.kernel = &k;
    kind.exposed += k.exposed;
    ++kind.count;
  }
  return kinds;
}

/// Two calls of which the second's time is known.
struct Beside {
  Sample both;
  StepCall prompts;
};
/// What is left of both below this is the error of the second [us].
constexpr double shortest_left = 1;

}  // namespace

bool multiplies(const StepSample& kernel) {
  return std::any_of(kernel.calls.begin(), kernel.calls.end(), [](const StepCall& c) {
    return std::holds_alternative<Gemm>(c.call) || std::holds_alternative<GroupedGemm>(c.call) ||
           std::holds_alternative<ContextAttention>(c.call);
  });
}

double stretch_of(const StepSamples& step, Seconds gap) {
  Seconds multiplying{0};
  for (const StepSample& k : step.kernels) multiplying += multiplies(k) ? k.exposed : Seconds{0};
  if (step.untraced < shortest_limited || multiplying <= Seconds{0}) return 1;
  const Seconds others = exposed(step) - multiplying + static_cast<double>(step.kernels.size()) * gap;
  return std::clamp((step.untraced - others) / multiplying, 0.9, 1.25);
}

StepModels fit_steps(const std::vector<StepSamples>& steps, const Device& device) {
  const StepModels between({}, gaps_of(steps));
  std::map<OperatorAndVariant, std::vector<Sample>> samples;
  std::vector<std::pair<OperatorAndVariant, Beside>> beside;
  for (const StepSamples& step : steps) {
    const double stretch = stretch_of(step, between.gap(step.mode, device));
    for (const auto& [key, of] : kinds_of(step)) {
      const KernelCall& call = of.kernel->calls.front().call;
      const Sample sample{
          call, chip_of(device, multiplied_by(call)),
          1e6 * (multiplies(*of.kernel) ? stretch : 1) * of.exposed.count() / static_cast<double>(of.count)};
      if (attends_both(*of.kernel)) {
        beside.push_back({key.first, {sample, of.kernel->calls[1]}});
      } else {
        samples[key.first].push_back(sample);
      }
    }
  }
  std::map<OperatorAndVariant, FittedModel> models = fit_kernels(samples);
  const StepModels alone(models, between.gaps());
  samples.clear();
  for (auto& [key, of] : beside) {
    of.both.measured -= alone.predict(of.prompts, device, Level::residual_corrected).time;
    if (of.both.measured > shortest_left) samples[key].push_back(of.both);
  }
  models.merge(fit_kernels(samples));
  return {std::move(models), between.gaps()};
}

}  // namespace inferometer
