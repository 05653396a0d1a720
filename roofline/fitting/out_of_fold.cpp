#include "roofline/fitting/out_of_fold.hpp"

#include <algorithm>
#include <cmath>
#include <map>

#include "model/seeded.hpp"
#include "roofline/fitting/fit_model.hpp"

namespace inferometer {
namespace {

constexpr std::size_t most_folds = 10;
/// Fewer samples than this are fitted from the start: from values that saw them all, a few steps do not
/// leave.
constexpr std::size_t few = 300;

std::uint64_t shape_key(const KernelCall& call) {
  std::uint64_t key = mix(0);
  for (const std::int64_t size : shape_of(call)) key = mix(key ^ static_cast<std::uint64_t>(size));
  return key;
}

/// The fold of each sample: shapes in the order of their hashes are dealt out.
std::vector<std::size_t> folds_of(const std::vector<std::uint64_t>& shapes) {
  std::map<std::uint64_t, std::size_t> of;
  for (const std::uint64_t shape : shapes) of.emplace(shape, 0);
  std::size_t next = 0;
  for (auto& [shape, fold] : of) fold = next++ % most_folds;
  std::vector<std::size_t> folds;
  for (std::size_t i = 0; i < shapes.size(); ++i)
    folds.push_back(of.size() > 1 ? of.at(shapes[i]) : i % most_folds);
  return folds;
}

}  // namespace

std::vector<OutOfFold> out_of_fold(const std::vector<Sample>& samples, const std::vector<double>& values,
                                   const ResidualLayer& residual) {
  std::vector<OutOfFold> errors;
  if (samples.size() < 2) return errors;
  std::vector<std::uint64_t> shapes;
  for (const Sample& s : samples) shapes.push_back(shape_key(s.call));
  const std::vector<std::size_t> folds = folds_of(shapes);
  const std::size_t count = 1 + *std::max_element(folds.begin(), folds.end());
  for (std::size_t fold = 0; fold < count; ++fold) {
    std::vector<Sample> others;
    for (std::size_t i = 0; i < samples.size(); ++i) {
      if (folds[i] != fold) others.push_back(samples[i]);
    }
    const std::vector<double> fitted = others.size() < few ? fit_model(others) : refit_model(others, values);
    const ResidualLayer layer = residual.again(others, log_ratios(others, fitted));
    for (std::size_t i = 0; i < samples.size(); ++i) {
      if (folds[i] != fold) continue;
      const double error = log_ratio(samples[i], fitted);
      errors.push_back({i, {error, shapes[i]}, {error - layer.at(samples[i].call), shapes[i]}});
    }
  }
  return errors;
}

}  // namespace inferometer
