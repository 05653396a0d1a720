#pragma once
#include <optional>
#include <span>

#include "roofline/energy.hpp"

namespace inferometer {

/// How far a device's limit of power lowers the clock of its multiprocessors; memory keeps its own.
///   demand = (memory t_memory + compute t_compute) / t    above idle, as part of what the limit leaves
///   clock  = min(1, demand^-1/2)                          of the top clock
/// with unit_times() of what a step does, and t that it takes at top clocks: what multiprocessors draw above
/// idle falls with the square of their clock (voltage and clock together would give a third power; a part
/// depends on neither).
///
/// ignores  what ran before: the clock is that of the step repeated
/// source   clocks of an H200 that repeats 78 steps at its limit; an exponent of its own was fitted as
/// -0.4997
struct PowerLimit {
  double memory = 0, compute = 0;  ///< demand at the full rate of each, alone

  double demand(const UnitTimes& work, Seconds at_top) const;
  /// In steps of 1/128, about those of 15 MHz in which devices set it.
  double clock(const UnitTimes& work, Seconds at_top) const;
};

/// A step that a device repeated until its clock had settled.
struct SettledStep {
  UnitTimes work;
  Seconds at_top{0};  ///< that it would take at the top clock
  double clock = 1;   ///< as part of the top clock
};

/// The limit that makes the steps' demands right, in the mean of their relative errors; those at the top
/// clock count where a limit would lower it. Nothing where too few run below it to tell.
std::optional<PowerLimit> fit_power_limit(std::span<const SettledStep> steps);

}  // namespace inferometer
