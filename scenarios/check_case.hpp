#pragma once
#include <string>
#include <vector>

#include "scenarios/scenario.hpp"

namespace inferometer {

/// What keeps a case from being predicted, each mistake at the edit that its message names, otherwise at
/// `where`: a plan that the network cannot run under, units that the device does not have, sizes out of
/// range.
Errors check_case(const Case& c, const std::vector<Edit>& edits, const Location& where);

/// Adds `more` to `errors`; those that have no place are put at `where`, with `prefix` before their message.
void take_errors(Errors& errors, Errors more, const Location& where, const std::string& prefix = "");

}  // namespace inferometer
