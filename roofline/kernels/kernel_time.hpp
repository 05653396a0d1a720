#pragma once
#include "model/names.hpp"

namespace inferometer {

/// Time of one call on one device, taken apart. All in us.
struct KernelTime {
  double total = 0;
  double floor = 0;    ///< what a call of no size takes
  double compute = 0;  ///< for which arithmetic and its feeding from cache would take alone
  double memory = 0;   ///< for which memory would take alone
};

/// What decides a call's time, by prediction (so that no measurement decides which row it is counted in).
enum class Regime : std::uint8_t { launch_bound, memory_bound, mixed, compute_bound };
template <>
struct Names<Regime> {
  static constexpr std::array list{std::pair{Regime::launch_bound, std::string_view{"launch-bound"}},
                                   std::pair{Regime::memory_bound, std::string_view{"memory-bound"}},
                                   std::pair{Regime::mixed, std::string_view{"mixed"}},
                                   std::pair{Regime::compute_bound, std::string_view{"compute-bound"}}};
};

/// launch-bound: the floor is half of the time or more. Otherwise the larger of compute and memory where it
/// is 1.5 times the other, mixed between.
constexpr Regime regime_of(const KernelTime& t) {
  if (t.floor >= 0.5 * t.total) return Regime::launch_bound;
  if (t.memory >= 1.5 * t.compute) return Regime::memory_bound;
  return t.compute >= 1.5 * t.memory ? Regime::compute_bound : Regime::mixed;
}

}  // namespace inferometer
