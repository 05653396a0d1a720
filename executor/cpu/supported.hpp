#pragma once
#include "model/case.hpp"
#include "model/structure.hpp"

namespace inferometer::cpu {

/// What of a structure this backend does not execute, once per reason.
Errors not_executed(const Case& c, const Structure& structure);

}  // namespace inferometer::cpu
