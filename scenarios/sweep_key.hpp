#pragma once
#include <cstdint>
#include <string>

#include "scenarios/sweep.hpp"

namespace inferometer {

/// What the results of all points depend on alike: the program, the traffic and its service level.
std::uint64_t common_key(const Scenario& scenario, const std::string& program);
/// Sixteen digits that differ when anything differs that a point's result depends on: those of common_key(),
/// its whole Case and what is known of its device. Names do not count.
std::string point_key(std::uint64_t common, const SweepPoint& point);

}  // namespace inferometer
