#include "roofline/fitting/validation.hpp"

#include <atomic>
#include <map>
#include <thread>

#include "roofline/fitting/fit_model.hpp"

namespace inferometer {
namespace {

KernelPrediction generic_prediction(const Sample& s, Values generic) {
  const KernelTime t = time_of(s.call, s.chip, generic);
  return {.time = t.total, .low = 0, .high = 0, .regime = regime_of(t)};
}

Validation validate_one(const std::vector<Sample>& all, const std::vector<std::size_t>& members,
                        const ValidationOptions& options) {
  std::vector<Sample> samples;
  for (const std::size_t i : members) samples.push_back(all[i]);
  Validation v{.op = std::string{operator_of(samples.front().call)},
               .variant = variant_of(samples.front().call)};
  std::vector<bool> fitted(samples.size(), false);
  std::vector<Sample> part;
  if (options.level != Level::datasheet) {
    fitted = fitted_part(samples, options.fit_on, options.split, options.seed);
    for (std::size_t i = 0; i < samples.size(); ++i) {
      if (fitted[i]) part.push_back(samples[i]);
    }
  }
  v.fitted = part.size();
  const auto add = [&](std::size_t i, const KernelPrediction& p) {
    v.calls.push_back({members[i], p.regime, {p.time, p.low, p.high, samples[i].measured}});
  };
  if (part.empty()) {
    v.values = generic_values(parameters_of(samples.front().call));
    for (std::size_t i = 0; i < samples.size(); ++i) add(i, generic_prediction(samples[i], v.values));
    return v;
  }
  const FittedModel model(part);
  v.values = model.values();
  v.residual = model.residual().on();
  for (std::size_t i = 0; i < samples.size(); ++i) {
    if (!fitted[i]) add(i, model.predict(samples[i].call, samples[i].chip, options.level));
  }
  return v;
}

}  // namespace

std::vector<Validation> validate(const std::vector<Sample>& samples, const ValidationOptions& options) {
  std::map<std::pair<std::string_view, std::string>, std::vector<std::size_t>> sets;
  for (std::size_t i = 0; i < samples.size(); ++i)
    sets[{operator_of(samples[i].call), variant_of(samples[i].call)}].push_back(i);
  std::vector<const std::vector<std::size_t>*> work;
  for (const auto& [key, members] : sets) work.push_back(&members);
  std::vector<Validation> done(work.size());
  std::atomic<std::size_t> next{0};
  {
    std::vector<std::jthread> threads;
    for (unsigned t = 0; t < std::max(1U, std::thread::hardware_concurrency()); ++t) {
      threads.emplace_back([&] {
        for (std::size_t i = next++; i < work.size(); i = next++)
          done[i] = validate_one(samples, *work[i], options);
      });
    }
  }
  return done;
}

}  // namespace inferometer
