#include "scenarios/read_parameters.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "roofline/parameters.hpp"

namespace inferometer {
namespace {

/// "matrix_efficiency" or, for one dtype, "matrix_efficiency.bf16".
const ParameterInfo* info_of(const std::string& parameter) {
  const std::size_t dot = parameter.find('.');
  if (dot != std::string::npos && !dtype_named(parameter.substr(dot + 1))) return nullptr;
  const auto named = [&](const ParameterInfo& i) { return i.name == parameter.substr(0, dot); };
  const auto* found = std::find_if(parameter_infos.begin(), parameter_infos.end(), named);
  return found == parameter_infos.end() ? nullptr : found;
}

}  // namespace

std::vector<Parameter> read_parameters(Reader in) {
  std::vector<Parameter> parameters;
  for (const std::string& name : in.keys()) {
    const ParameterInfo* info = info_of(name);
    if (info == nullptr) continue;  // an unknown key
    Reader one = in.required_mapping(name);
    const std::size_t before = in.errors().size();
    Parameter p{name, one.required<double>("value"), one.required<std::string>("unit"),
                one.optional<std::string>("doc", "")};
    one.reject_unknown_keys();
    if (in.errors().size() == before && p.unit != info->unit)
      one.error("unit", fmt::format("\"{}\" is not \"{}\"", p.unit, info->unit));
    if (in.errors().size() == before && !(p.value >= info->low && p.value <= info->high))
      one.error("value", fmt::format("must be {} to {}, is {}", info->low, info->high, p.value));
    parameters.push_back(std::move(p));
  }
  for (const ParameterInfo& info : parameter_infos) in.raw(info.name);  // for "did you mean"
  in.reject_unknown_keys();
  return parameters;
}

}  // namespace inferometer
