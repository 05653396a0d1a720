#include "roofline/fitting/validation.hpp"

#include "roofline/fitting/fit_model.hpp"
#include "roofline/fitting/in_parallel.hpp"

namespace inferometer {
namespace {

/// One operator and variant's samples, and where they are among all.
struct Set {
  OperatorAndVariant key;
  std::vector<std::size_t> members;
  std::vector<Sample> samples;
};

std::vector<Set> sets_of(const std::vector<Sample>& samples) {
  std::vector<Set> sets;
  for (auto& [key, members] : by_variant(samples)) {
    std::vector<Sample> of;
    for (const std::size_t i : members) of.push_back(samples[i]);
    sets.push_back({key, members, std::move(of)});
  }
  return sets;
}

/// All of a set's calls that were not fitted, predicted by `predict`.
template <class Predict>
void score(Validation& v, const Set& set, const std::vector<bool>& fitted, const Predict& predict) {
  for (std::size_t i = 0; i < set.samples.size(); ++i) {
    if (fitted[i]) continue;
    const KernelPrediction p = predict(set.samples[i]);
    v.calls.push_back({set.members[i],
                       p.regime,
                       {p.time, p.low, p.high, set.samples[i].measured, set.samples[i].resolution}});
  }
}

Validation by_generic_values(const Set& set) {
  Validation v{.op = set.key.first, .variant = set.key.second};
  v.intervals = false;
  v.values = generic_values(parameters_of(set.samples.front().call));
  score(v, set, std::vector<bool>(set.samples.size(), false), [&](const Sample& s) {
    const KernelTime t = time_of(s.call, s.chip, v.values);
    return KernelPrediction{.time = t.total, .low = 0, .high = 0, .regime = regime_of(t)};
  });
  return v;
}

Validation by_model(const Set& set, const FittedModel& model, const std::vector<bool>& fitted, Level level) {
  Validation v{.op = set.key.first,
               .variant = set.key.second,
               .fitted = model.rows,
               .values = model.values,
               .residual = model.residual.on(),
               .too_few = too_few(model.rows, model.values.size())};
  score(v, set, fitted, [&](const Sample& s) { return model.predict(s.call, s.chip, level); });
  return v;
}

Validation fit_and_judge(const Set& set, const ValidationOptions& options) {
  const std::vector<bool> fitted = fitted_part(set.samples, options.fit_on, options.split, options.seed);
  std::vector<Sample> part;
  for (std::size_t i = 0; i < set.samples.size(); ++i) {
    if (fitted[i]) part.push_back(set.samples[i]);
  }
  return by_model(set, FittedModel(part), fitted, options.level);
}

}  // namespace

std::vector<Validation> validate(const std::vector<Sample>& samples, const ValidationOptions& options) {
  const std::vector<Set> sets = sets_of(samples);
  std::vector<Validation> done(sets.size());
  in_parallel(sets.size(), [&](std::size_t i) {
    done[i] =
        options.level == Level::datasheet ? by_generic_values(sets[i]) : fit_and_judge(sets[i], options);
  });
  return done;
}

std::vector<Validation> validate(const std::vector<Sample>& samples, const KernelCalibration& calibration,
                                 Level level) {
  const std::vector<Set> sets = sets_of(samples);
  std::vector<Validation> done(sets.size());
  in_parallel(sets.size(), [&](std::size_t i) {
    const Set& set = sets[i];
    done[i] = level == Level::datasheet ? by_generic_values(set)
                                        : by_model(set, calibration.models.at(set.key),
                                                   std::vector<bool>(set.samples.size(), false), level);
  });
  return done;
}

}  // namespace inferometer
