#include <algorithm>

#include "model/passes.hpp"

namespace inferometer {
namespace {

struct Merge {
  std::string_view setting;
  bool Plan::Fusion::*wanted;
  std::array<Role, 3> parts;
  std::size_t count;
  Role merged;
};
constexpr std::array merges{
    Merge{"fusion.qkv", &Plan::Fusion::qkv, {Role::q, Role::k, Role::v}, 3, Role::qkv},
    Merge{"fusion.gate_up", &Plan::Fusion::gate_up, {Role::gate, Role::up}, 2, Role::gate_up},
    Merge{"fusion.gate_up",
          &Plan::Fusion::gate_up,
          {Role::shared_gate, Role::shared_up},
          2,
          Role::shared_gate_up},
    Merge{"fusion.gate_up",
          &Plan::Fusion::gate_up,
          {Role::expert_gate, Role::expert_up},
          2,
          Role::expert_gate_up},
};

std::int64_t* out_of(AnyOperator& op) {
  if (auto* linear = std::get_if<Linear>(&op)) return &linear->out;
  if (auto* expert = std::get_if<ExpertLinear>(&op)) return &expert->out;
  return nullptr;
}
WeightFormat format_of(const StructureNode& node) {
  if (const auto* linear = std::get_if<Linear>(&node.op)) return linear->w;
  return std::get<ExpertLinear>(node.op).w;
}

/// Appends `from`'s rows (or, for a bias, columns) behind `into`'s.
void append_rows(WeightSpec& into, const WeightSpec& from, bool is_vector) {
  const std::int64_t shift = is_vector ? into.columns : into.rows;
  for (WeightPart part : from.parts) {
    part.row += shift;  // a vector's parts are placed by element
    into.parts.push_back(std::move(part));
  }
  (is_vector ? into.columns : into.rows) += is_vector ? from.columns : from.rows;
}

/// Moves every view of buffer `from` into `to`, `shift` columns to the right.
void redirect(Structure& s, std::int32_t from, std::int32_t to, std::int64_t shift) {
  for (StructureNode& node : s.nodes) {
    for (auto* views : {&node.reads, &node.writes}) {
      for (View& view : *views) {
        if (view.buffer != from) continue;
        view.buffer = to;
        view.offset += shift;
      }
    }
  }
}

void merge(Structure& s, const std::vector<std::size_t>& group, Role role) {
  StructureNode& first = s.nodes[group[0]];
  const std::int32_t target = first.writes[0].buffer;
  std::string merged_name = first.name.substr(0, first.name.rfind('.') + 1) + std::string{name(role)};
  s.buffers[static_cast<std::size_t>(target)].name = merged_name;
  for (std::size_t g = 1; g < group.size(); ++g) {
    StructureNode& next = s.nodes[group[g]];
    Buffer& buffer = s.buffers[static_cast<std::size_t>(target)];
    redirect(s, next.writes[0].buffer, target, buffer.columns);
    buffer.columns += *out_of(next.op);
    *out_of(first.op) += *out_of(next.op);
    for (std::size_t w = 0; w < first.weights.size(); ++w) {
      append_rows(s.weights[static_cast<std::size_t>(first.weights[w])],
                  s.weights[static_cast<std::size_t>(next.weights[w])], w > 0);
    }
  }
  first.writes[0] = {target, 0, s.buffers[static_cast<std::size_t>(target)].columns};
  s.weights[static_cast<std::size_t>(first.weights[0])].name = merged_name;
  first.name = std::move(merged_name);
  first.role = role;
}

}  // namespace

Errors merge_products(Structure& s, const Architecture&, const Plan& plan) {
  Errors errors;
  std::vector<bool> gone(s.nodes.size(), false);
  for (const Merge& m : merges) {
    if (!(plan.fusion.*m.wanted)) continue;
    for (std::size_t i = 0; i < s.nodes.size(); ++i) {
      if (s.nodes[i].role != m.parts[0]) continue;
      std::vector<std::size_t> group{i};
      for (std::size_t j = i + 1; j < s.nodes.size() && s.nodes[j].layer == s.nodes[i].layer; ++j) {
        if (group.size() < m.count && s.nodes[j].role == m.parts[group.size()] &&
            s.nodes[j].reads == s.nodes[i].reads) {
          group.push_back(j);
        }
      }
      if (group.size() != m.count) continue;
      const bool alike = std::all_of(group.begin(), group.end(), [&](std::size_t j) {
        return format_of(s.nodes[j]).dtype == format_of(s.nodes[i]).dtype;
      });
      if (!alike) {
        errors.push_back({std::string{m.setting} + ": the weights of \"" + s.nodes[i].name +
                          "\" and its neighbours have different dtypes and cannot be one product"});
        continue;
      }
      merge(s, group, m.merged);
      for (std::size_t g = 1; g < group.size(); ++g) gone[group[g]] = true;
    }
  }
  std::vector<StructureNode> kept;
  std::vector<bool> used(s.weights.size(), false);
  for (std::size_t i = 0; i < s.nodes.size(); ++i) {
    if (!gone[i]) kept.push_back(std::move(s.nodes[i]));
  }
  s.nodes = std::move(kept);
  for (const StructureNode& node : s.nodes) {
    for (const std::int32_t w : node.weights) used[static_cast<std::size_t>(w)] = true;
  }
  std::vector<std::int32_t> moved(s.weights.size(), -1);
  std::vector<WeightSpec> weights;
  for (std::size_t w = 0; w < s.weights.size(); ++w) {
    if (!used[w]) continue;
    moved[w] = static_cast<std::int32_t>(weights.size());
    weights.push_back(std::move(s.weights[w]));
  }
  s.weights = std::move(weights);
  for (StructureNode& node : s.nodes) {
    for (std::int32_t& w : node.weights) w = moved[static_cast<std::size_t>(w)];
  }
  return errors;
}

}  // namespace inferometer
