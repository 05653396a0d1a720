#include "roofline/power_limit.hpp"

#include <algorithm>
#include <cmath>

namespace inferometer {
namespace {

constexpr int fewest = 20, rounds = 20;
constexpr double robust = 0.06;  ///< relative errors of demand beyond this count less

/// Sums of the normal equations of a x = b for two unknowns.
struct Normal {
  double mm = 0, mc = 0, cc = 0, mb = 0, cb = 0;

  void add(double m, double c, double b, double weight) {
    mm += weight * m * m;
    mc += weight * m * c;
    cc += weight * c * c;
    mb += weight * m * b;
    cb += weight * c * b;
  }
  std::optional<PowerLimit> solution() const {
    const double determinant = mm * cc - mc * mc;
    if (!(determinant > 1e-9 * mm * cc)) return std::nullopt;
    const PowerLimit found{.memory = (mb * cc - cb * mc) / determinant,
                           .compute = (cb * mm - mb * mc) / determinant};
    if (found.memory >= 0 && found.compute >= 0) return found;
    // On the edge where more of b is explained: no unit draws less than nothing.
    if (cb * cb * mm >= mb * mb * cc) return PowerLimit{.memory = 0, .compute = cb / cc};
    return PowerLimit{.memory = mb / mm, .compute = 0};
  }
};

}  // namespace

double PowerLimit::demand(const UnitTimes& work, Seconds at_top) const {
  return (memory * work.memory + compute * work.compute) / at_top;
}

double PowerLimit::clock(const UnitTimes& work, Seconds at_top) const {
  constexpr double steps = 128;
  const double asked = demand(work, at_top);
  return asked > 1 ? std::max(1.0, std::round(steps / std::sqrt(asked))) / steps : 1;
}

std::optional<PowerLimit> fit_power_limit(std::span<const SettledStep> steps) {
  const auto lowered = [](const SettledStep& s) { return s.clock < lowered_clock; };
  if (std::count_if(steps.begin(), steps.end(), lowered) < fewest) return std::nullopt;
  std::optional<PowerLimit> found;
  for (int round = 0; round < rounds; ++round) {
    Normal sums;
    for (const SettledStep& s : steps) {
      const double known = found ? found->demand(s.work, s.at_top) : 0;
      // A step at top clocks says that its demand is no more than the limit.
      if (!lowered(s) && known <= 1) continue;
      const double demand = lowered(s) ? 1 / (s.clock * s.clock) : 1;
      const double error = found ? std::abs(known / demand - 1) : 0;
      const double weight = error > robust ? robust / error : 1;
      sums.add(s.work.memory / s.at_top / demand, s.work.compute / s.at_top / demand, 1, weight);
    }
    const std::optional<PowerLimit> next = sums.solution();
    if (!next) return std::nullopt;
    found = next;
  }
  return found;
}

}  // namespace inferometer
