#include "roofline/fitting/kernel_calibration.hpp"

#include <algorithm>

#include "roofline/fitting/in_parallel.hpp"

namespace inferometer {

std::map<OperatorAndVariant, std::vector<std::size_t>> by_variant(const std::vector<Sample>& samples) {
  std::map<OperatorAndVariant, std::vector<std::size_t>> sets;
  for (std::size_t i = 0; i < samples.size(); ++i)
    sets[{std::string{operator_of(samples[i].call)}, variant_of(samples[i].call)}].push_back(i);
  return sets;
}

std::map<OperatorAndVariant, FittedModel> fit_kernels(const std::vector<Sample>& samples) {
  std::map<OperatorAndVariant, std::vector<Sample>> sets;
  for (const auto& [key, members] : by_variant(samples)) {
    for (const std::size_t s : members) sets[key].push_back(samples[s]);
  }
  return fit_kernels(sets);
}

std::map<OperatorAndVariant, FittedModel> fit_kernels(
    const std::map<OperatorAndVariant, std::vector<Sample>>& samples) {
  std::map<OperatorAndVariant, FittedModel> models;
  std::vector<std::pair<const std::vector<Sample>*, FittedModel*>> work;
  for (const auto& [key, of] : samples) work.emplace_back(&of, &models[key]);
  // The longest first: short ones fill the end.
  std::stable_sort(work.begin(), work.end(),
                   [](const auto& a, const auto& b) { return a.first->size() > b.first->size(); });
  in_parallel(work.size(), [&](std::size_t i) { *work[i].second = FittedModel(*work[i].first); });
  return models;
}

}  // namespace inferometer
