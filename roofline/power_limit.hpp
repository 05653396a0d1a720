#pragma once
#include <optional>
#include <span>

#include "roofline/unit_times.hpp"

namespace inferometer {

/// How far a device's limit of power lowers the clock of its multiprocessors; memory keeps its own.
///   demand = (memory t_memory + compute t_compute) / t    above idle, as part of what the limit leaves
///   clock  = min(1, demand^-1/2)                          of the top clock
/// with unit_times() of what a step does, and t that it takes at top clocks. The form is what was found, not
/// derived: what a step draws above idle falls with the square of the clock (voltage and clock together would
/// give a third power; a part depends on neither), which is so of multiprocessors, and memory's part is
/// small.
///
/// ignores  what ran before and rests behind: the clock is that of the step repeated without a pause, and one
///          behind a rest, or a stage of a pipeline that waits for others, has a higher one; what kernels
///          draw beyond those times, such as those that unpack int4 weights
/// source   clocks of an H200 (driver 580, CUDA 13.0, 700 W, top clock 1980 MHz) that repeated 78 steps at
/// its
///          limit, 2026-11-30; an exponent of its own was fitted as -0.4997
struct PowerLimit {
  double memory = 0, compute = 0;  ///< demand at the full rate of each, alone

  double demand(const UnitTimes& work, Seconds at_top) const;
  /// In steps of 1/128, about those of 15 MHz in which devices set it.
  double clock(const UnitTimes& work, Seconds at_top) const;
};

/// Clocks below this part of the top one are lowered: they are read in steps of 15 MHz.
inline constexpr double lowered_clock = 0.98;

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
