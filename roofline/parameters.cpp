#include "roofline/parameters.hpp"

#include "model/result.hpp"

namespace inferometer {

const ParameterInfo& parameter_info(std::string_view name) {
  name = name.substr(0, name.find('.'));
  for (const ParameterInfo& info : parameter_infos) {
    if (info.name == name) return info;
  }
  require(false, "a kernel model asked for a parameter that is not in the list");
  return parameter_infos[0];
}

double parameter(const Calibration& calibration, std::string_view name, std::string_view dtype) {
  const double plain = calibration.get(std::string{name}, parameter_info(name).generic);
  return dtype.empty() ? plain : calibration.get(std::string{name} + "." + std::string{dtype}, plain);
}

}  // namespace inferometer
