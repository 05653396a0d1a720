#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "scenarios/study.hpp"
#include "simulator/serving/load_search.hpp"

namespace inferometer {

struct CapacityOptions {
  std::int64_t seeds = 5;   ///< so often arrivals and lengths are drawn anew
  double tolerance = 0.01;  ///< of the rate
};

/// The edge of one variant under one draw of the traffic.
struct DrawCapacity {
  std::uint64_t seed = 0;
  /// Requests a second at the variant's own serving.load, followers in sessions included.
  double offered = 0;
  LoadEdge edge;

  double rate() const { return offered * edge.load; }
};

struct VariantCapacity {
  std::string name;
  std::vector<DrawCapacity> draws;  ///< the same seeds, in the same order, for every variant
  std::string not_served;           ///< why, where it could not be served
};

/// The highest request rate of every variant that meets the service level.
struct CapacityStudy {
  Scenario scenario;
  Provenance provenance;
  CapacityOptions options;
  std::string why_one;                    ///< why there is one draw alone; empty where there are several
  std::vector<VariantCapacity> variants;  ///< the baseline first
};

/// Searches the edge of every variant, or point of a sweep, for the same draws of the traffic: the baseline's
/// seed and those behind it. A trace whose arrivals and lengths are recorded is one draw.
///
/// threads  to work on; the result is the same for any number
/// errors   a scenario without traffic or service level, arrivals that have no rate (closed, all at once),
///          traffic that cannot be read
[[nodiscard]] Result<CapacityStudy> find_capacities(const Scenario& scenario, const CapacityOptions& options,
                                                    std::size_t threads, const Progress& progress);

/// Requests a second: those that each arrival stands for, over the mean distance of arrivals. 0 where there
/// are none, or all arrive at once.
double offered_rate(const Traffic& traffic);

}  // namespace inferometer
