#pragma once
#include <vector>

#include "model/reader.hpp"
#include "roofline/calibration.hpp"

namespace inferometer {

/// A mapping of parameters of the roofline: NAME: {value: 0.8, unit: "1"}, also of one dtype (NAME.bf16).
/// errors  unknown names, other units, values beyond what physics allows
std::vector<Parameter> read_parameters(Reader in);

}  // namespace inferometer
