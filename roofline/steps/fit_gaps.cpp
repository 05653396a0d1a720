#include "roofline/steps/fit_gaps.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>

#include "model/nearest_rank.hpp"

namespace inferometer {
namespace {

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

}  // namespace

std::map<LaunchMode, Gaps> fit_gaps(const std::vector<StepSamples>& steps) {
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

Seconds as_traced(const StepSamples& step, const Gaps& gaps) {
  return recorded(step.mode) ? exposed(step) + sum_of_gaps(step, gaps) : EagerStep(step).time(gaps);
}

}  // namespace inferometer
