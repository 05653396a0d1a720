#include "model/tuning.hpp"

#include <fmt/format.h>

#include "model/graph.hpp"

namespace inferometer {

ProductShape shape_of(const Linear& op, std::int64_t x_stride, std::int64_t y_stride) {
  return {.tokens = op.tokens,
          .in = op.in,
          .out = op.out,
          .x = op.x,
          .w = op.w.dtype,
          .y = op.y,
          .x_stride = x_stride,
          .y_stride = y_stride};
}

std::string to_string(const ProductShape& s) {
  std::string text = fmt::format("{} tokens, {} in, {} out, {} by {} to {}", s.tokens, s.in, s.out, name(s.x),
                                 name(s.w), name(s.y));
  if (s.x_stride != s.in) text += fmt::format(", x_stride {}", s.x_stride);
  if (s.y_stride != s.out) text += fmt::format(", y_stride {}", s.y_stride);
  return text;
}

std::string to_string(const LibraryAlgorithm& algorithm) {
  std::string text;
  algorithm_fields(algorithm, [&](std::string_view name, std::int64_t value) {
    if (value != 0 || name == "id") text += fmt::format("{}{} {}", text.empty() ? "" : ", ", name, value);
  });
  return text;
}

std::string to_string(const ProductChoice& choice) {
  std::string text{name(choice.kernel)};
  return choice.algorithm ? text + " " + to_string(*choice.algorithm) : text;
}

std::set<ProductShape> product_shapes(const Structure& structure, const Features& features) {
  std::set<ProductShape> shapes;
  for (std::size_t i = 0; i < structure.nodes.size(); ++i) {
    const StructureNode& node = structure.nodes[i];
    const NodeRange kernel = kernel_of(structure, i, features);
    if (!std::holds_alternative<Linear>(node.op) || kernel.first != kernel.last) continue;
    if (scales_rows(structure, i, features)) continue;
    const auto op = std::get<Linear>(bind(node, structure, features));
    const bool tunable = op.x == op.w.dtype && (op.x == DType::bf16 || op.x == DType::fp8);
    if (!tunable || op.tokens == 0) continue;
    const auto stride = [&](const View& v) {
      return structure.buffers[static_cast<std::size_t>(v.buffer)].columns;
    };
    shapes.insert(shape_of(op, stride(node.reads[0]), stride(node.writes[0])));
  }
  return shapes;
}

}  // namespace inferometer
