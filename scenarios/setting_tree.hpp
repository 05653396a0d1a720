#pragma once
#include <string>
#include <vector>

#include "model/document.hpp"
#include "scenarios/scenario.hpp"

namespace inferometer {

/// Paths of the settings that a mapping may hold, without their common part: "precision.weights".
using SettingPaths = std::vector<std::string>;

/// Reads settings as a scenario writes them, nested or dotted, into edits with the place of each value:
///   precision: {weights: f32}      or      precision.weights: f32
/// A list is joined with spaces, as settings of several values are written.
///
/// known    the paths that may stand here
/// name     how messages name this mapping ("plan")
/// errors   unknown keys with the nearest known one, a setting that is given twice, values that are no text
std::vector<Edit> read_settings(const Document& mapping, const SettingPaths& known, const std::string& name,
                                Errors& errors);

}  // namespace inferometer
