#pragma once
#include <optional>
#include <string>

#include "model/case.hpp"
#include "roofline/unit_times.hpp"
#include "roofline/work.hpp"

namespace inferometer {

/// The UnitTimes of one node. Bytes are compulsory ones and what its kernel moves beyond them.
UnitTimes unit_times(const Work& work, const Device& device);

/// What a device draws: E = idle t + memory bytes / bandwidth + compute FLOPs / peak, at most limit t.
/// A byte and a FLOP cost the same however slowly they come; what makes a step longer costs idle power.
///
/// ignores  voltage and clocks that fall with the power limit, values of the operands, links, the host,
///          traffic between a chip's caches. Its powers are of means over served runs; PowerLimit, which is
///          of what makes clocks fall within milliseconds, has other ones, that give memory a smaller part
/// source   the energy roofline: Choi, Bedard, Fowler, Vuduc, "A Roofline Model of Energy", IPDPS 2013
class PowerModel {
 public:
  /// Nothing where the device file lacks one of the powers.
  static std::optional<PowerModel> of(const Device& device);

  Watts idle() const { return idle_; }
  /// Of a time t in which the units do so much, beyond idle power.
  Joules above_idle(const UnitTimes& work, Seconds t) const;

 private:
  Watts idle_, memory_, compute_, most_;  ///< most: that the limit leaves above idle
};

/// "h200-sxm has no idle_power, compute_power"; empty where a PowerModel has all it needs.
std::string powers_missing(const Device& device);
/// Why there is no energy of a case's steps: that, or replicas of attention, whose experts work for each
/// other; empty where there is one.
std::string why_no_energy(const Case& c);
/// The model of a case's device; nothing where why_no_energy() says why.
std::optional<PowerModel> power_model_of(const Case& c);

}  // namespace inferometer
