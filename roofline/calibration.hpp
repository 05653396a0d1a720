#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "model/device.hpp"
#include "roofline/estimate.hpp"

namespace inferometer {

/// One physical parameter, as printed by `explain` and written to YAML.
struct Parameter {
  std::string name;
  double value = 0;
  std::string unit;
  std::string doc;
};

class StepModels;

/// What is known of a device beyond its data sheet. Level datasheet: generic parameters that no measurement
/// backs.
struct Calibration {
  Level level = Level::datasheet;
  std::string device;
  std::string source;  ///< "generic", or the file it was read from with its hash
  std::string date, machine;
  std::vector<Parameter> parameters;
  std::shared_ptr<const StepModels> kernels;  ///< of a GPU; null: generic ones

  /// The parameter `name`, or `otherwise` when this calibration does not have it.
  double get(const std::string& name, double otherwise) const {
    for (const Parameter& p : parameters) {
      if (p.name == name) return p.value;
    }
    return otherwise;
  }
};

}  // namespace inferometer
