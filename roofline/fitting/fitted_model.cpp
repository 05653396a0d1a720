#include "roofline/fitting/fitted_model.hpp"

#include <algorithm>
#include <cmath>
#include <map>

#include "model/nearest_rank.hpp"
#include "roofline/fitting/fit_model.hpp"

namespace inferometer {
namespace {

double log_ratio(const Sample& s, Values values) {
  return std::log(s.measured / time_of(s.call, s.chip, values).total);
}

/// log(measured / modelled) of each sample by a model that saw no sample of its shape.
std::vector<double> unseen_ratios(const std::vector<Sample>& samples, const std::vector<double>& values) {
  constexpr std::size_t folds = 5;
  std::map<std::vector<std::int64_t>, std::size_t> fold_of;
  for (const Sample& s : samples) fold_of.emplace(shape_of(s.call), 0);
  std::size_t next = 0;
  for (auto& [shape, fold] : fold_of) fold = next++ % folds;
  std::vector<double> ratios(samples.size());
  for (std::size_t fold = 0; fold < folds; ++fold) {
    std::vector<Sample> others;
    for (const Sample& s : samples) {
      if (fold_of.at(shape_of(s.call)) != fold) others.push_back(s);
    }
    const std::vector<double> refitted = next < folds ? values : refit_model(others, values);
    for (std::size_t i = 0; i < samples.size(); ++i) {
      if (fold_of.at(shape_of(samples[i].call)) == fold) ratios[i] = log_ratio(samples[i], refitted);
    }
  }
  return ratios;
}

}  // namespace

FittedModel::FittedModel(const std::vector<Sample>& samples) : values_(fit_model(samples)) {
  std::vector<double> ratios;
  for (const Sample& s : samples) ratios.push_back(log_ratio(s, values_));
  residual_ = ResidualLayer(samples, ratios);
  std::vector<double> unseen = unseen_ratios(samples, values_);
  calibrated_ = intervals_of(samples, unseen);
  // What the layer corrects of a shape that it did not see comes off what the refitted model misses.
  for (std::size_t i = 0; i < unseen.size(); ++i) unseen[i] -= ratios[i] - residual_.left_out()[i];
  corrected_ = intervals_of(samples, unseen);
}

FittedModel::Intervals FittedModel::intervals_of(const std::vector<Sample>& samples,
                                                 const std::vector<double>& errors) const {
  std::array<std::vector<double>, 4> by_regime;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const KernelTime t = time_of(samples[i].call, samples[i].chip, values_);
    by_regime[static_cast<std::size_t>(regime_of(t))].push_back(errors[i]);
  }
  constexpr std::size_t enough = 30;
  Intervals intervals;
  for (std::size_t r = 0; r < intervals.size(); ++r) {
    const std::vector<double>& of = by_regime[r].size() >= enough ? by_regime[r] : errors;
    intervals[r] = {nearest_rank(of, 0.05), nearest_rank(of, 0.95)};
  }
  return intervals;
}

KernelPrediction FittedModel::predict(const KernelCall& call, const Chip& chip, Level level) const {
  const KernelTime t = time_of(call, chip, values_);
  const bool corrected = level == Level::residual_corrected;
  const double time = t.total * (corrected ? std::exp(residual_.at(call)) : 1.0);
  const Regime regime = regime_of(t);
  const Interval i = (corrected ? corrected_ : calibrated_)[static_cast<std::size_t>(regime)];
  const double f = time / t.total;
  return {time, time * std::exp(i.low), time * std::exp(i.high), regime,
          {time, f * t.floor, f * t.compute, f * t.memory}};
}

}  // namespace inferometer
