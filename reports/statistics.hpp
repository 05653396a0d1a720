#pragma once
#include <optional>
#include <string>
#include <vector>

#include "model/quantile.hpp"
#include "scenarios/study.hpp"

namespace inferometer {

/// How near one step time was predicted.
struct StepError {
  std::string variant, phase;
  double ratio = 1;  ///< predicted / measured
};

/// A variant against the baseline, by processed tokens per second: the same whether a variant changes how
/// long a step takes or how much it does.
struct Effect {
  std::string variant, phase;  ///< phase "all": the whole workload
  double predicted = 1;
  std::optional<double> measured;

  /// Whether the measured effect exceeds `threshold`; and then whether the prediction has its direction.
  bool counts(double threshold = 0.1) const;
  /// A predicted effect of exactly 1 has no direction.
  bool same_direction() const;
};

/// How good the predictions of a study were.
struct Quality {
  std::vector<StepError> steps;
  std::optional<double> median_error, p90_error;            ///< of |predicted / measured - 1|
  std::vector<Effect> effects;                              ///< of every variant but the baseline
  std::int64_t effects_that_count = 0, same_direction = 0;  ///< of the phases; "all" repeats them
  /// Step times whose slowest tenth took over 1.5 times the median: something else was using the machine.
  std::int64_t disturbed = 0;
};
Quality quality_of(const StudyResult& study);

/// Quantile `q` by linear interpolation between order statistics. Requires values.
double quantile(std::vector<double> values, double q);

/// Of steps as they were executed, one after another: executed over predicted time of the slowest tenth of
/// them, relative to that of the median tenth. Far above 1 where the machine became slower for a while.
/// nullopt: fewer than a hundred steps, of which tenths differ by what they are made of.
std::optional<double> slowest_tenth(const std::vector<ServingResult::StepPair>& steps);

/// Largest difference between the two empirical distributions (Kolmogorov-Smirnov statistic), 0 to 1; 0 where
/// one has no values.
double distance(std::vector<double> a, std::vector<double> b);

}  // namespace inferometer
