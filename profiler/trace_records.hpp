#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "model/units.hpp"

namespace inferometer {

/// A kernel that ran, as the tracer recorded it.
struct KernelRecord {
  std::string name;
  Nanoseconds start{}, end{};     ///< on the tracer's clock
  std::uint32_t correlation = 0;  ///< of the call that launched it, or its graph
  std::uint64_t graph_node = 0;   ///< of the executable graph that it came from; 0: launched eagerly
  std::uint32_t stream = 0;
};

/// What was recorded while one step ran.
struct Trace {
  std::vector<KernelRecord> kernels;
  std::map<std::uint32_t, std::int32_t> node_of_call;        ///< correlation of a launch -> node
  std::map<std::uint64_t, std::int32_t> node_of_graph_node;  ///< id in an executable graph -> node
  std::int64_t dropped = 0;                                  ///< records that the tracer had no room for
};

}  // namespace inferometer
