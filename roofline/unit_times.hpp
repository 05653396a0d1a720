#pragma once
#include "model/units.hpp"

namespace inferometer {

/// How long a device's units would be at work if each ran at its full rate.
struct UnitTimes {
  Seconds memory{0};   ///< bytes / memory_bandwidth
  Seconds compute{0};  ///< FLOPs / dense rate of the units that do them, in the dtype multiplied

  UnitTimes& operator+=(const UnitTimes& b) { return memory += b.memory, compute += b.compute, *this; }
  friend UnitTimes operator-(const UnitTimes& a, const UnitTimes& b) {
    return {a.memory - b.memory, a.compute - b.compute};
  }
  friend UnitTimes operator*(double times, const UnitTimes& a) {
    return {times * a.memory, times * a.compute};
  }
};

}  // namespace inferometer
