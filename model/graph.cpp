#include "model/graph.hpp"

#include "model/few_tokens.hpp"

namespace inferometer {

std::int64_t row_count(Rows rows, const Structure& structure, const Features& features) {
  switch (rows) {
    case Rows::tokens:
      return features.tokens;
    case Rows::logits:
      return features.logit_rows;
    case Rows::assignments:
      return features.tokens * structure.assignments_per_token;
    case Rows::received: {
      const std::int64_t all =
          std::max(features.tokens, features.group_tokens) * structure.assignments_per_token;
      return (all + structure.expert_devices - 1) / structure.expert_devices;
    }
    case Rows::one:
      return 1;
  }
  return 0;
}

AnyOperator bind(const StructureNode& node, const Structure& structure, const Features& features) {
  AnyOperator op = node.op;
  const std::int64_t rows = row_count(node.rows, structure, features);
  std::visit(
      [&](auto& o) {
        if constexpr (requires { o.slices; }) {
          o.slices = features.slices;
        } else {
          o.tokens = rows;
        }
        if constexpr (requires { o.touched; }) o.touched = expected_experts(o.experts, o.top_k, rows);
      },
      op);
  return op;
}

NodeRange kernel_of(const Structure& structure, std::size_t index, const Features& features) {
  const bool decode = decodes(features), full = fills_tiles(features.tokens);
  const auto joins = [&](std::size_t i) {
    if (i >= structure.nodes.size() || features.tokens == 0) return false;
    const StructureNode& node = structure.nodes[i];
    const bool few = node.joins_from <= features.tokens && features.tokens <= node.joins_up_to;
    return few || (node.joins_tiles && full) || (node.joins_decode && decode);
  };
  NodeRange range{index, index};
  while (range.first > 0 && joins(range.first)) --range.first;
  while (joins(range.last + 1)) ++range.last;
  return range;
}

bool scales_rows(const Structure& structure, std::size_t index, const Features& features) {
  return index > 0 && std::holds_alternative<AddRmsNorm>(structure.nodes[index - 1].op) &&
         kernel_of(structure, index - 1, features).first != index - 1;
}

Graph bind(const Structure& structure, const Features& features) {
  Graph graph(structure.nodes.size());
  for (std::size_t i = 0; i < structure.nodes.size(); ++i) {
    graph[i] = {bind(structure.nodes[i], structure, features), static_cast<std::int32_t>(i)};
  }
  for (const StructureEdge& e : structure.edges) {
    boost::add_edge(static_cast<std::size_t>(e.from), static_cast<std::size_t>(e.to), GraphEdge{e.buffer},
                    graph);
  }
  return graph;
}

Bytes compulsory_bytes(const AnyOperator& op) {
  Bytes sum{0};
  const Operands all = operands(op);
  for (const Operand& o : all.reads) sum += o.compulsory();
  for (const Operand& o : all.writes) sum += o.compulsory();
  return sum;
}

}  // namespace inferometer
