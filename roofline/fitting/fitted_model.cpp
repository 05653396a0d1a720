#include "roofline/fitting/fitted_model.hpp"

#include <algorithm>
#include <cmath>

#include "model/nearest_rank.hpp"
#include "roofline/fitting/fit_model.hpp"
#include "roofline/fitting/out_of_fold.hpp"

namespace inferometer {
namespace {

using Errors4 = std::array<std::vector<ShapeError>, 4>;

/// From as many errors on, not the outermost one is an interval's end.
constexpr std::size_t enough = 39;

LevelFit level_fit(const Errors4& by_regime) {
  LevelFit fit;
  std::vector<ShapeError> all;
  std::vector<double> off;
  for (const auto& errors : by_regime) all.insert(all.end(), errors.begin(), errors.end());
  for (const ShapeError& e : all) off.push_back(std::abs(std::exp(-e.error) - 1));
  fit.median_error = nearest_rank(off, 0.5);
  fit.p90_error = nearest_rank(off, 0.9);
  for (std::size_t r = 0; r < by_regime.size(); ++r)
    fit.intervals[r] = error_range(by_regime[r].size() >= enough ? by_regime[r] : all);
  return fit;
}

}  // namespace

FittedModel::FittedModel(const std::vector<Sample>& samples)
    : rows(samples.size()), values(fit_model(samples)), residual(samples, log_ratios(samples, values)) {
  Errors4 by_model, by_layer;
  for (const OutOfFold& e : out_of_fold(samples, values, residual)) {
    const Sample& s = samples[e.sample];
    const auto regime = static_cast<std::size_t>(regime_of(time_of(s.call, s.chip, values)));
    by_model[regime].push_back(e.calibrated);
    by_layer[regime].push_back(e.corrected);
  }
  calibrated = level_fit(by_model);
  corrected = level_fit(by_layer);
}

KernelPrediction FittedModel::predict(const KernelCall& call, const Chip& chip, Level level) const {
  const KernelTime t = time_of(call, chip, values);
  const Regime regime = regime_of(t);
  const auto r = static_cast<std::size_t>(regime);
  const LevelFit& fit = level == Level::residual_corrected ? corrected : calibrated;
  const double f = std::exp(level == Level::residual_corrected ? residual.at(call) : 0);
  const double time = t.total * f;
  return {time,
          time * std::exp(fit.intervals[r].low),
          time * std::exp(fit.intervals[r].high),
          regime,
          {time, f * t.floor, f * t.compute, f * t.memory}};
}

}  // namespace inferometer
