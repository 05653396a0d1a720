#pragma once
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "roofline/fitting/fitted_model.hpp"
#include "roofline/fitting/launch_mode.hpp"
#include "roofline/power_limit.hpp"

namespace inferometer {

using OperatorAndVariant = std::pair<std::string, std::string>;

/// The places of each operator and variant's samples.
std::map<OperatorAndVariant, std::vector<std::size_t>> by_variant(const std::vector<Sample>& samples);

/// Models of one device's kernels, and what they were fitted to.
struct KernelCalibration {
  std::string device, date;
  struct Source {
    std::string file, hash;
    std::size_t rows = 0;
  };
  std::vector<Source> sources;
  std::map<std::string, std::string> facts;  ///< of the machine, where it was measured here: GPU, driver, ...
  std::map<LaunchMode, Gaps> gaps;           ///< between kernels of a step, where steps were measured
  std::optional<PowerLimit> power_limit;     ///< where steps reached it
  std::map<std::string, double> parameters;  ///< of what is no kernel of a model: copies beside steps
  std::map<OperatorAndVariant, FittedModel> models;
};

/// Fits each operator and variant to all of its samples, on all cores.
std::map<OperatorAndVariant, FittedModel> fit_kernels(const std::vector<Sample>& samples);
std::map<OperatorAndVariant, FittedModel> fit_kernels(
    const std::map<OperatorAndVariant, std::vector<Sample>>& samples);

/// Whether so many samples do not determine a model's parameters: fewer than the parameters and one more.
constexpr bool too_few(std::size_t samples, std::size_t parameters) { return samples < parameters + 1; }

}  // namespace inferometer
