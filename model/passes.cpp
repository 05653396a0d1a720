#include "model/passes.hpp"

#include <algorithm>
#include <map>
#include <tuple>

namespace inferometer {

Errors fuse_residual_product(Structure& s, const Architecture&, const Plan& plan) {
  if (!plan.fusion.residual_product) return {};
  if (plan.parallel.tensor > 1)
    return {
        {"fusion.residual_product: the products before residual additions are summed over parallel.tensor "
         "devices first"}};
  std::vector<StructureNode> kept;
  for (StructureNode& node : s.nodes) {
    auto* product = kept.empty() ? nullptr : std::get_if<Linear>(&kept.back().op);
    const bool joins = product != nullptr && !product->residual && product->w.dtype != DType::int4 &&
                       std::holds_alternative<Add>(node.op) && node.reads[0] == kept.back().writes[0];
    if (!joins) {
      kept.push_back(std::move(node));
      continue;
    }
    product->residual = true;
    kept.back().reads.push_back(node.reads[1]);
    kept.back().writes = std::move(node.writes);
  }
  s.nodes = std::move(kept);
  return {};
}

Errors fuse_residual_norm(Structure& s, const Architecture&, const Plan& plan) {
  if (!plan.fusion.residual_norm) return {};
  std::vector<StructureNode> kept;
  // Whether the node `back` places from the end is an addition whose sum `reader` reads.
  const auto added = [&](std::size_t back, const StructureNode& reader) {
    if (kept.size() < back) return false;
    const StructureNode& node = kept[kept.size() - back];
    return std::holds_alternative<Add>(node.op) && node.writes[0] == reader.reads[0];
  };
  for (StructureNode& node : s.nodes) {
    const auto* norm = std::get_if<RmsNorm>(&node.op);
    // The norm of a block follows directly on the addition that ends the one before; the last one on the
    // gathering of its rows, which alone reads that sum.
    const bool layer_norm = norm != nullptr && norm->groups == 1 && !kept.empty();
    const bool gathered = layer_norm && std::holds_alternative<GatherRows>(kept.back().op) &&
                          kept.back().writes[0] == node.reads[0] && added(2, kept.back());
    if (!gathered && !(layer_norm && added(1, node))) {
      kept.push_back(std::move(node));
      continue;
    }
    const View sum = kept.back().writes[0];
    if (gathered) kept.pop_back();
    node.op = AddRmsNorm{.width = norm->width, .dtype = norm->dtype, .eps = norm->eps, .gathered = gathered};
    node.reads = kept.back().reads;
    node.writes = {sum, node.writes[0]};
    kept.back() = std::move(node);
  }
  s.nodes = std::move(kept);
  return {};
}

namespace {

struct Quantized {
  View values, scale;
};

/// Where a product's input stands, and in what format the plan wants it.
struct ProductInput {
  DType* x = nullptr;
  const WeightFormat* w = nullptr;
  bool per_assignment = false;
};
ProductInput product_input(AnyOperator& op) {
  if (auto* linear = std::get_if<Linear>(&op)) return {&linear->x, &linear->w, false};
  if (auto* expert = std::get_if<ExpertLinear>(&op)) return {&expert->x, &expert->w, expert->per_assignment};
  return {};
}

}  // namespace

Errors quantize_inputs(Structure& s, const Architecture&, const Plan& plan) {
  Errors errors;
  std::vector<StructureNode> kept;
  std::map<std::tuple<std::int32_t, std::int64_t, DType>, Quantized> done;
  for (StructureNode& node : s.nodes) {
    const ProductInput input = product_input(node.op);
    const InputFormat format = input.x && node.role != Role::router
                                   ? plan.precision.inputs.at(node.layer, node.role)
                                   : InputFormat::as_is;
    if (format == InputFormat::as_is) {
      kept.push_back(std::move(node));
      continue;
    }
    const DType to = format == InputFormat::int8 ? DType::int8 : DType::fp8;
    if (input.w->dtype != to) {
      errors.push_back({"precision.inputs: \"" + node.name + "\" takes " + std::string{name(to)} +
                        " inputs but its weights are " + std::string{name(input.w->dtype)} +
                        "; set precision.weights to " + std::string{name(to)} +
                        " there, or its inputs to as_is"});
      return errors;  // one layer's mistake is every layer's
    }
    const View x = node.reads[0];
    const Rows rows = s.buffers[static_cast<std::size_t>(x.buffer)].rows;
    const auto key = std::tuple{x.buffer, x.offset, to};
    if (!done.contains(key)) {
      const auto make = [&](const char* what, std::int64_t columns, DType dtype) {
        s.buffers.push_back({node.name + what, rows, columns, dtype});
        return View{static_cast<std::int32_t>(s.buffers.size() - 1), 0, columns};
      };
      Quantized q{.values = make(".quantized", x.columns, to), .scale = {}};
      std::vector<View> writes{q.values};
      if (to == DType::int8) writes.push_back(q.scale = make(".scale", 1, DType::f32));
      kept.push_back({node.name + ".quantize",
                      node.layer,
                      Role::quantize,
                      Quantize{.width = x.columns, .dtype = *input.x, .to = to},
                      rows,
                      {x},
                      std::move(writes),
                      {}});
      done[key] = q;
    }
    *input.x = to;
    node.reads[0] = done[key].values;
    // In the order of operands(): behind the inputs, or behind the experts that take them.
    if (to == DType::int8)
      node.reads.insert(node.reads.begin() + (std::holds_alternative<ExpertLinear>(node.op) ? 2 : 1),
                        done[key].scale);
    kept.push_back(std::move(node));
  }
  s.nodes = std::move(kept);
  return errors;
}

Errors drop_unused_buffers(Structure& s, const Architecture&, const Plan&) {
  std::vector<std::int32_t> moved(s.buffers.size(), -1);
  for (const StructureNode& node : s.nodes) {
    for (const auto* views : {&node.reads, &node.writes}) {
      for (const View& view : *views) moved[static_cast<std::size_t>(view.buffer)] = 0;
    }
  }
  std::vector<Buffer> kept;
  for (std::size_t b = 0; b < s.buffers.size(); ++b) {
    if (moved[b] < 0) continue;
    moved[b] = static_cast<std::int32_t>(kept.size());
    kept.push_back(std::move(s.buffers[b]));
  }
  s.buffers = std::move(kept);
  for (StructureNode& node : s.nodes) {
    for (auto* views : {&node.reads, &node.writes}) {
      for (View& view : *views) view.buffer = moved[static_cast<std::size_t>(view.buffer)];
    }
  }
  s.logits = moved[static_cast<std::size_t>(s.logits)];
  return {};
}

namespace {

bool overlap(const View& a, const View& b) {
  const auto run = [](const View& v) { return v.columns / v.groups; };
  const auto end = [&](const View& v) { return v.offset + (v.groups - 1) * v.stride + run(v); };
  if (a.groups > 1 && b.groups > 1 && a.stride == b.stride && a.stride > 0) {
    const std::int64_t x = a.offset % a.stride, y = b.offset % b.stride;
    return x < y + run(b) && y < x + run(a);
  }
  return a.offset < end(b) && b.offset < end(a);
}

struct Access {
  std::int32_t node;
  View view;
  bool writes;
};

}  // namespace

Errors connect(Structure& s, const Architecture&, const Plan&) {
  std::vector<std::vector<Access>> accesses(s.buffers.size());
  std::map<std::int64_t, std::int32_t> last_write_of_layer;
  for (std::size_t i = 0; i < s.nodes.size(); ++i) {
    const auto self = static_cast<std::int32_t>(i);
    const StructureNode& node = s.nodes[i];
    const auto touch = [&](const View& view, bool writes) {
      auto& earlier = accesses[static_cast<std::size_t>(view.buffer)];
      for (const Access& a : earlier) {
        if (a.node != self && (a.writes || writes) && overlap(a.view, view)) {
          s.edges.push_back({a.node, self, view.buffer});
        }
      }
      // What wrote or read just this view before is ordered before whoever comes after us.
      if (writes) std::erase_if(earlier, [&](const Access& a) { return a.view == view; });
      earlier.push_back({self, view, writes});
    };
    for (const View& view : node.reads) touch(view, false);
    for (const View& view : node.writes) touch(view, true);
    if (node.role == Role::kv_write) last_write_of_layer[node.layer] = self;
    if (node.role == Role::attention) s.edges.push_back({last_write_of_layer.at(node.layer), self, -1});
  }
  const auto key = [](const StructureEdge& e) { return std::tuple{e.to, e.from, e.buffer}; };
  std::sort(s.edges.begin(), s.edges.end(), [&](const auto& a, const auto& b) { return key(a) < key(b); });
  s.edges.erase(std::unique(s.edges.begin(), s.edges.end(),
                            [&](const auto& a, const auto& b) { return key(a) == key(b); }),
                s.edges.end());
  return {};
}

}  // namespace inferometer
