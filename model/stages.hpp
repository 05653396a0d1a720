#pragma once
#include <vector>

#include "model/structure.hpp"

namespace inferometer {

/// One stage of a pipeline.
struct Stage {
  Structure structure;  ///< its nodes, with the weights, states and buffers that those touch
  NodeRange nodes;      ///< which they are in the whole
};

/// Cuts a network at the nodes that hand on to the next stage; those belong to no stage. The embedding is in
/// the first stage, the final norm and the head in the last: a table that both share is in each.
///
/// returns  parallel.pipeline stages; the whole where that is 1
std::vector<Stage> stages_of(const Structure& whole);

}  // namespace inferometer
