#pragma once
#include <vector>

#include "model/graph.hpp"

namespace inferometer {

/// Where each activation buffer lies while a step runs: buffers whose lives do not overlap share memory.
struct MemoryPlan {
  std::vector<Bytes> offset;  ///< of Structure::buffers, aligned to 64 B
  Bytes total{0};
};

/// First fit over the nodes' order: a buffer lives from its first writer to its last reader.
MemoryPlan plan_memory(const Structure& structure, const Features& features);

}  // namespace inferometer
