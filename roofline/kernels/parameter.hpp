#pragma once
#include <span>
#include <string_view>

namespace inferometer {

/// One parameter of a kernel model: what it means, the range that physics allows, and its value where nobody
/// measured (level datasheet). At most 16 a model.
struct KernelParameter {
  std::string_view name, unit, doc;
  double low, high;
  double generic;
};

/// Where generic values come from: all models are fitted the same way.
inline constexpr std::string_view generic_source =
    "one set fitted to published measurements of A100, H200 and B200 together, where they exist";

/// Values of a model's parameters, in the order of its list.
using Values = std::span<const double>;

}  // namespace inferometer
