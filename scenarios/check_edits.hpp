#pragma once
#include <optional>

#include "scenarios/scenario.hpp"

namespace inferometer {

/// Adds an error for each setting of a variant or a sweep that nothing reads in this scenario, so that its
/// runs would be the same.
///
/// traffic  nullopt: a static batch
void refuse_without_effect(const Scenario& s, const std::optional<TrafficSpec>& traffic, Errors& errors);

/// Adds an error for each that a profile: does not follow: it is of one device, one network and one plan.
void refuse_unprofiled(const Scenario& s, Errors& errors);

}  // namespace inferometer
