#include "reports/statistics.hpp"

#include <algorithm>
#include <cmath>

namespace inferometer {
namespace {

double seconds(Nanoseconds t) { return std::chrono::duration<double>(t).count(); }

/// Tokens that go through the network, and how long that takes.
struct Throughput {
  double tokens = 0, predicted = 0, measured = 0;
  bool is_measured = true;

  void add(const PhaseResult& phase) {
    const auto steps = static_cast<double>(phase.steps);
    tokens += steps * static_cast<double>(phase.tokens());
    predicted += steps * phase.predicted.count();
    is_measured = is_measured && phase.measured.has_value();
    if (phase.measured) measured += steps * seconds(phase.measured->median);
  }
};

Effect effect(const std::string& variant, const std::string& phase, const Throughput& base,
              const Throughput& with) {
  Effect e{variant, phase, (with.tokens / with.predicted) / (base.tokens / base.predicted), {}};
  if (base.is_measured && with.is_measured)
    e.measured = (with.tokens / with.measured) / (base.tokens / base.measured);
  return e;
}

}  // namespace

bool Effect::counts(double threshold) const { return measured && std::fabs(*measured - 1) > threshold; }
bool Effect::same_direction() const { return measured && (*measured - 1) * (predicted - 1) > 0; }

double quantile(std::vector<double> values, double q) {
  std::sort(values.begin(), values.end());
  return quantile_of_sorted(values, q);
}

double distance(std::vector<double> a, std::vector<double> b) {
  if (a.empty() || b.empty()) return 0;
  std::sort(a.begin(), a.end());
  std::sort(b.begin(), b.end());
  double most = 0;
  for (std::size_t i = 0, j = 0; i < a.size() && j < b.size();) {
    const double at = std::min(a[i], b[j]);
    while (i < a.size() && a[i] <= at) ++i;
    while (j < b.size() && b[j] <= at) ++j;
    most = std::max(most, std::fabs(static_cast<double>(i) / static_cast<double>(a.size()) -
                                    static_cast<double>(j) / static_cast<double>(b.size())));
  }
  return most;
}

std::optional<double> slowest_tenth(const std::vector<ServingResult::StepPair>& steps) {
  constexpr std::size_t parts = 10, fewest = 100;
  if (steps.size() < fewest) return std::nullopt;
  std::vector<double> ratios;
  for (std::size_t part = 0; part < parts; ++part) {
    Nanoseconds predicted{0}, executed{0};
    for (std::size_t i = steps.size() * part / parts; i < steps.size() * (part + 1) / parts; ++i) {
      predicted += steps[i].predicted;
      executed += steps[i].executed;
    }
    ratios.push_back(static_cast<double>(executed.count()) / static_cast<double>(predicted.count()));
  }
  return *std::max_element(ratios.begin(), ratios.end()) / quantile(ratios, 0.5);
}

Quality quality_of(const StudyResult& study) {
  Quality quality;
  std::vector<double> errors;
  for (const VariantResult& v : study.variants) {
    for (const PhaseResult& phase : v.phases) {
      if (!phase.measured) continue;
      const double ratio = phase.predicted.count() / seconds(phase.measured->median);
      quality.steps.push_back({v.name, phase.name, ratio});
      errors.push_back(std::fabs(ratio - 1));
      quality.disturbed += seconds(phase.measured->p90) > 1.5 * seconds(phase.measured->median);
    }
  }
  if (!errors.empty()) {
    quality.median_error = quantile(errors, 0.5);
    quality.p90_error = quantile(errors, 0.9);
  }
  const VariantResult& base = study.variants.front();
  for (std::size_t i = 1; i < study.variants.size(); ++i) {
    const VariantResult& v = study.variants[i];
    Throughput all_base, all;
    for (std::size_t p = 0; p < std::min(base.phases.size(), v.phases.size()); ++p) {
      Throughput one_base, one;
      for (Throughput* t : {&one_base, &all_base}) t->add(base.phases[p]);
      for (Throughput* t : {&one, &all}) t->add(v.phases[p]);
      quality.effects.push_back(effect(v.name, v.phases[p].name, one_base, one));
    }
    quality.effects.push_back(effect(v.name, "all", all_base, all));
  }
  for (const Effect& e : quality.effects) {
    if (e.phase == "all") continue;
    quality.effects_that_count += e.counts();
    quality.same_direction += e.counts() && e.same_direction();
  }
  return quality;
}

}  // namespace inferometer
