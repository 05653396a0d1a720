#pragma once
#include <span>

#include "model/case.hpp"
#include "simulator/serving/metrics.hpp"

namespace inferometer {

/// Replicas that are alike: those of a server, or of one of its pools.
struct CostedReplicas {
  const Case& c;
  /// What the steps drew beyond idle power, of one of the devices that share each layer; nothing where that
  /// was not predicted, for the reason `why_not`
  std::optional<Joules> above_idle;
  std::string why_not;
};

/// Energy and money of a served run. Every device of every instance draws idle power and is paid for from the
/// first arrival to the last token, whether it runs steps or not. Energy or money of some is not told as that
/// of all.
///
/// m  of the run: its length and throughput; the second form is of a server without pools
ServingCost cost_of(const ServingMetrics& m, std::span<const CostedReplicas> all);
ServingCost cost_of(const ServingMetrics& m, const Case& c, std::optional<Joules> above_idle,
                    std::string why_not);

}  // namespace inferometer
