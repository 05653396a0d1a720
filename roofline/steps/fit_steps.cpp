#include "roofline/steps/fit_steps.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>

#include "model/nearest_rank.hpp"
#include "model/quantile.hpp"

namespace inferometer {
namespace {

Seconds exposed(const StepSamples& step) {
  Seconds sum{0};
  for (const StepSample& k : step.kernels) sum += k.exposed;
  return sum;
}

/// Whether a device may have reached its power limit: steps that end within a millisecond do not make it.
bool limited(const StepSamples& step) {
  constexpr Seconds shortest{1e-3};
  constexpr double lowered = 0.98;  // clocks are read in steps of 15 MHz
  return step.untraced >= shortest && !(step.clock && *step.clock >= lowered);
}

Seconds sum_of_gaps(const StepSamples& step, Gaps gaps) {
  Seconds sum{0};
  GapWalk walk(gaps);
  for (const StepSample& k : step.kernels) sum += walk.next(of_library(k.calls));
  return sum;
}

/// What its time depends on where its kernels are launched one by one.
struct EagerStep {
  struct Kernel {
    Seconds exposed;
    bool of_library;
  };
  Seconds untraced;
  std::vector<Kernel> kernels;

  explicit EagerStep(const StepSamples& step) : untraced(step.untraced) {
    for (const StepSample& k : step.kernels) kernels.push_back({k.exposed, of_library(k.calls)});
  }
  /// Each kernel as soon as the host and the one before let it.
  Seconds time(const Gaps& gaps) const {
    Seconds end{0}, launched{0};
    GapWalk walk(gaps);
    for (const Kernel& k : kernels) {
      launched += *gaps.dispatch;
      end = std::max(end, launched) + walk.next(k.of_library) + k.exposed;
    }
    return end;
  }
};

/// Gaps and the host's time for a launch that give a mode's steps the least mean |log(modelled / measured)|:
/// steps of short kernels, and the first kernels of all, wait for the host, the others for what is before
/// them. On ever finer grids, since such errors have edges on which slopes lead nowhere; of points that say
/// the same, the one whose gaps differ least.
Gaps eager_gaps(const std::vector<const StepSamples*>& samples) {
  std::vector<EagerStep> steps;
  for (const StepSamples* s : samples) steps.emplace_back(*s);
  constexpr int points = 4;  // on each side of the middle
  struct Axis {
    double middle, reach;  // [s]
    double at(int i) const { return std::max(0.0, middle + reach * i / points); }
    /// Whether that is one of the points farthest from the middle, but for zero.
    bool outermost(double best) const {
      return best > 0 && std::abs(best - middle) > reach * (points - 0.5) / points;
    }
  };
  Axis between{1.5e-6, 1.5e-6}, more{1.5e-6, 1.5e-6}, dispatch{12e-6, 12e-6};
  Gaps best;
  double least = std::numeric_limits<double>::infinity();
  constexpr int most_levels = 40;  // a host of half a millisecond a launch
  constexpr double close = 0.05e-6;
  for (int level = 0; level < most_levels && dispatch.reach > close; ++level) {
    for (int b = points; b >= -points; --b) {
      for (int m = -points; m <= points; ++m) {
        for (int d = -points; d <= points; ++d) {
          const Seconds gap{between.at(b)};
          const Gaps gaps{gap, gap + Seconds{more.at(m)}, Seconds{dispatch.at(d)}};
          double error = 0;
          for (const EagerStep& s : steps) error += std::abs(std::log(s.time(gaps) / s.untraced));
          if (error >= least) continue;
          least = error;
          best = gaps;
        }
      }
    }
    const std::array axes{&between, &more, &dispatch};
    const std::array at{best.between.count(), (best.at_library - best.between).count(),
                        best.dispatch->count()};
    bool beyond = false;  // whether what is looked for may lie outside
    for (std::size_t i = 0; i < axes.size(); ++i) beyond |= axes[i]->outermost(at[i]);
    for (std::size_t i = 0; i < axes.size(); ++i) {
      axes[i]->middle = at[i];
      if (!beyond) axes[i]->reach /= 3;
    }
  }
  return best;
}

/// Of the steps with kernels of a library, and of those without, what is left of each by gap. What delays
/// some leaves more of those: the lower quartile.
std::map<LaunchMode, Gaps> gaps_of(const std::vector<StepSamples>& steps) {
  std::map<LaunchMode, std::vector<const StepSamples*>> by_mode;
  for (const StepSamples& step : steps)
    if (!limited(step)) by_mode[step.mode].push_back(&step);
  std::map<LaunchMode, Gaps> gaps;
  for (const auto& [mode, of_mode] : by_mode) {
    if (!recorded(mode)) {
      gaps[mode] = eager_gaps(of_mode);
      continue;
    }
    std::optional<Seconds> between;
    const auto gap_of = [&](bool with_library) -> std::optional<Seconds> {
      std::vector<double> each;
      for (const StepSamples* step : of_mode) {
        const auto kernels = static_cast<double>(step->kernels.size());
        const double at_library =
            sum_of_gaps(*step, {.between = Seconds{0}, .at_library = Seconds{1}}).count();
        if ((at_library > 0) != with_library) continue;
        const Seconds left = step->untraced - exposed(*step);
        each.push_back(between ? (left - (kernels - at_library) * *between).count() / at_library
                               : left.count() / kernels);
      }
      if (each.empty()) return std::nullopt;
      return Seconds{std::max(0.0, nearest_rank(std::move(each), 0.25))};
    };
    between = gap_of(false);
    const std::optional<Seconds> at_library = gap_of(true);
    const Seconds of_others = between ? *between : *at_library;
    gaps[mode] = {.between = of_others, .at_library = std::max(of_others, at_library.value_or(of_others))};
  }
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
};
/// What is left of both below this is the error of the second [us].
constexpr double shortest_left = 1;

}  // namespace

bool multiplies(const StepSample& kernel) {
  return std::any_of(kernel.calls.begin(), kernel.calls.end(), [](const StepCall& c) {
    return std::holds_alternative<Gemm>(c.call) || std::holds_alternative<GatedProduct>(c.call) ||
           std::holds_alternative<GroupedGemm>(c.call) || std::holds_alternative<ContextAttention>(c.call);
  });
}

double stretch_of(const StepSamples& step, Gaps gaps) {
  Seconds multiplying{0};
  for (const StepSample& k : step.kernels) multiplying += multiplies(k) ? k.exposed : Seconds{0};
  if (!limited(step) || multiplying <= Seconds{0}) return 1;
  const Seconds at_top =
      recorded(step.mode) ? exposed(step) + sum_of_gaps(step, gaps) : EagerStep(step).time(gaps);
  return std::clamp(1 + (step.untraced - at_top) / multiplying, 0.9, 1.25);
}

StepModels fit_steps(const std::vector<StepSamples>& steps, const Device& device) {
  const StepModels between({}, gaps_of(steps));
  std::map<OperatorAndVariant, std::vector<Sample>> samples;
  std::vector<std::pair<OperatorAndVariant, Beside>> beside;
  for (const StepSamples& step : steps) {
    const double stretch = stretch_of(step, between.gaps(step.mode, device));
    for (auto& [key, of] : kinds_of(step)) {
      const KernelCall& call = of.kernel->calls.front().call;
      // The first layer's products find none of their weights fetched ahead: short networks have too much of
      // it.
      // Of two, such as the first and the last norm of a network, the mean: a step has the sum of both.
      std::sort(of.exposed.begin(), of.exposed.end());
      const double exposed = quantile_of_sorted(of.exposed, 0.5);
      const Sample sample{call, chip_of(device, multiplied_by(call)),
                          1e6 * (multiplies(*of.kernel) ? stretch : 1) * exposed};
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
