#include "roofline/fitting/fit_model.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "model/seeded.hpp"
#include "roofline/fitting/draw.hpp"
#include "roofline/fitting/in_parallel.hpp"
#include "roofline/fitting/least_squares.hpp"

namespace inferometer {
namespace {

/// Parameters live on the unit cube: by logarithm where they are positive.
double to_unit(const KernelParameter& p, double value) {
  value = std::clamp(value, p.low, p.high);
  return p.low > 0 ? std::log(value / p.low) / std::log(p.high / p.low) : (value - p.low) / (p.high - p.low);
}
double from_unit(const KernelParameter& p, double x) {
  return p.low > 0 ? p.low * std::pow(p.high / p.low, x) : p.low + (p.high - p.low) * x;
}

std::vector<double> values_at(std::span<const KernelParameter> parameters, const std::vector<double>& at) {
  std::vector<double> values;
  for (std::size_t i = 0; i < at.size(); ++i) values.push_back(from_unit(parameters[i], at[i]));
  return values;
}

/// What a parameter's place in its range counts for beside the samples, which may not determine it: off the
/// middle by a uniform distribution's deviation, as much as one sample that is off by the loss's scale.
/// source  Gelman et al., "Bayesian Data Analysis", 2013, section 2.9, weakly informative priors
const double prior = LeastSquaresOptions{}.scale * std::sqrt(12.0);

/// What a sample's error counts for beside the loss's scale: less where rounding alone, evenly spread over
/// its step, is as large.
double weight_of(const Sample& s) {
  const double rounding = s.resolution / (std::sqrt(12.0) * s.measured);
  return 1 / std::hypot(1.0, rounding / LeastSquaresOptions{}.scale);
}

Residuals residuals_of(const std::vector<const Sample*>& samples,
                       std::span<const KernelParameter> parameters) {
  return [=](const std::vector<double>& at) {
    const std::vector<double> values = values_at(parameters, at);
    std::vector<double> r;
    r.reserve(samples.size());
    for (const Sample* s : samples)
      r.push_back(weight_of(*s) * std::log(time_of(s->call, s->chip, values).total / s->measured));
    for (const double x : at) r.push_back(prior * (x - 0.5));
    return r;
  };
}

/// At most `count` of the samples.
std::vector<const Sample*> some_of(const std::vector<Sample>& samples, std::size_t count) {
  std::vector<const Sample*> some;
  for (const std::size_t i : draw(samples.size(), count)) some.push_back(&samples[i]);
  return some;
}

constexpr std::size_t at_first = 400, at_last = 2500, starts = 12;

}  // namespace

std::vector<double> generic_values(std::span<const KernelParameter> parameters) {
  std::vector<double> values;
  for (const KernelParameter& p : parameters) values.push_back(p.generic);
  return values;
}

std::vector<double> fit_model(const std::vector<Sample>& samples) {
  const auto parameters = parameters_of(samples.front().call);
  const Residuals first = residuals_of(some_of(samples, at_first), parameters);
  const Residuals last = residuals_of(some_of(samples, at_last), parameters);
  std::array<LeastSquaresResult, starts> found;
  in_parallel(starts, [&](std::size_t start) {
    std::vector<double> at;
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      const double generic = to_unit(parameters[i], parameters[i].generic);
      const double random = static_cast<double>(mix(start * 100 + i) >> 11) * 0x1p-53;
      at.push_back(start == 0 ? generic : 0.5 * generic + 0.5 * random);
    }
    const LeastSquaresResult near = least_squares(first, at, {.iterations = 25});
    found[start] = least_squares(last, near.at, {.iterations = 40});
  });
  const auto best = std::min_element(found.begin(), found.end(),
                                     [](const auto& a, const auto& b) { return a.loss < b.loss; });
  return values_at(parameters, best->at);
}

std::vector<double> refit_model(const std::vector<Sample>& samples, const std::vector<double>& start) {
  const auto parameters = parameters_of(samples.front().call);
  std::vector<double> at;
  for (std::size_t i = 0; i < parameters.size(); ++i) at.push_back(to_unit(parameters[i], start[i]));
  return values_at(parameters,
                   least_squares(residuals_of(some_of(samples, 800), parameters), at, {.iterations = 6}).at);
}

}  // namespace inferometer
