#include "roofline/fitting/kernel_calibration.hpp"

#include "roofline/fitting/in_parallel.hpp"

namespace inferometer {

std::map<OperatorAndVariant, std::vector<std::size_t>> by_variant(const std::vector<Sample>& samples) {
  std::map<OperatorAndVariant, std::vector<std::size_t>> sets;
  for (std::size_t i = 0; i < samples.size(); ++i)
    sets[{std::string{operator_of(samples[i].call)}, variant_of(samples[i].call)}].push_back(i);
  return sets;
}

std::map<OperatorAndVariant, FittedModel> fit_kernels(const std::vector<Sample>& samples) {
  std::map<OperatorAndVariant, FittedModel> models;
  std::vector<std::pair<const std::vector<std::size_t>*, FittedModel*>> work;
  const auto sets = by_variant(samples);
  for (const auto& [key, members] : sets) work.emplace_back(&members, &models[key]);
  in_parallel(work.size(), [&](std::size_t i) {
    std::vector<Sample> of;
    for (const std::size_t s : *work[i].first) of.push_back(samples[s]);
    *work[i].second = FittedModel(of);
  });
  return models;
}

}  // namespace inferometer
