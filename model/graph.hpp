#pragma once
#include <boost/graph/adjacency_list.hpp>
#include <string_view>

#include "model/step.hpp"
#include "model/structure.hpp"

namespace inferometer {

/// A node with all its sizes.
struct GraphNode {
  AnyOperator op;
  std::int32_t source = 0;  ///< index in Structure::nodes: name, layer, role, views and weights
};
struct GraphEdge {
  std::int32_t buffer = -1;  ///< in Structure::buffers; -1 for cached state
};

/// Operators and data edges of one step. Vertex i is Structure::nodes[i].
using Graph = boost::adjacency_list<boost::vecS, boost::vecS, boost::bidirectionalS, GraphNode, GraphEdge>;

/// Gives each symbolic size its value.
Graph bind(const Structure& structure, const Features& features);
AnyOperator bind(const StructureNode& node, const Structure& structure, const Features& features);

/// Rows of a buffer or node in a step.
std::int64_t row_count(Rows rows, const Structure& structure, const Features& features);

}  // namespace inferometer
