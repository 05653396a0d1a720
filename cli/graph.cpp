#include <fmt/format.h>

#include <boost/graph/graphviz.hpp>
#include <nlohmann/json.hpp>
#include <sstream>

#include "cli/edges.hpp"
#include "model/graph.hpp"

namespace inferometer {
namespace {

std::string shape_text(const Shape& shape) {
  std::string text;
  for (int i = 0; i < shape.rank; ++i)
    text += (i ? "x" : "") + std::to_string(shape.extent[static_cast<std::size_t>(i)]);
  return text;
}

std::string dot(const Graph& graph, const Structure& structure) {
  std::ostringstream out;
  boost::write_graphviz(
      out, graph,
      [&](std::ostream& o, std::size_t v) {
        const Operands all = operands(graph[v].op);
        o << fmt::format("[shape=box,label=\"{}\\n{} {}\"]", structure.nodes[v].name, name(graph[v].op),
                         shape_text(all.writes[0].shape));
      },
      [&](std::ostream& o, const Graph::edge_descriptor& e) {
        const std::int32_t b = graph[e].buffer;
        o << fmt::format("[label=\"{}\"]",
                         b < 0 ? "cache" : structure.buffers[static_cast<std::size_t>(b)].name);
      });
  return out.str();
}

}  // namespace

int graph_command(const Context& context, const GraphOptions& options) {
  const Result<Features> features = features_of(options.what);
  if (!features) return tell(features.error(), wrong_input);
  const Result<Case> c = case_of(context, options.what);
  if (!c) return tell(c.error(), wrong_input);
  const Result<Structure> structure = compile(c->model(), c->plan);
  if (!structure) return tell(structure.error(), wrong_input);
  const Graph graph = bind(*structure, *features);
  if (options.dot) {
    fmt::print("{}", dot(graph, *structure));
    return done;
  }
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  std::string table =
      fmt::format("{:<44} {:<18} {:>16} {:>16} {:>16}\n", "node", "operator", "result", "FLOPs", "bytes");
  for (std::size_t v = 0; v < num_vertices(graph); ++v) {
    const AnyOperator& op = graph[v].op;
    const Operands all = operands(op);
    const std::string shape = shape_text(all.writes[0].shape);
    rows.push_back({{"name", structure->nodes[v].name},
                    {"operator", name(op)},
                    {"result_shape", shape},
                    {"flops", flops(op).value},
                    {"compulsory_bytes", compulsory_bytes(op).value}});
    table += fmt::format("{:<44} {:<18} {:>16} {:>16} {:>16}\n", structure->nodes[v].name, name(op), shape,
                         flops(op).value, compulsory_bytes(op).value);
  }
  fmt::print("{}", context.json ? rows.dump(2) + "\n" : table);
  return done;
}

}  // namespace inferometer
