#include "model/stages.hpp"

#include <algorithm>

namespace inferometer {
namespace {

/// Numbers what is used anew, in order.
class Renumbered {
 public:
  explicit Renumbered(std::size_t count) : place_(count, -1) {}
  void use(std::int32_t index) { place_[static_cast<std::size_t>(index)] = 0; }
  /// Those of `all` that are used.
  template <class T>
  std::vector<T> kept(const std::vector<T>& all) {
    std::vector<T> used;
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (place_[i] < 0) continue;
      place_[i] = static_cast<std::int32_t>(used.size());
      used.push_back(all[i]);
    }
    return used;
  }
  /// -1 where it is not used.
  std::int32_t operator[](std::int64_t index) const {
    return index < 0 ? -1 : place_[static_cast<std::size_t>(index)];
  }

 private:
  std::vector<std::int32_t> place_;
};

Structure part_of(const Structure& whole, const NodeRange& nodes) {
  Structure part{.assignments_per_token = whole.assignments_per_token,
                 .expert_devices = whole.expert_devices};
  Renumbered buffers(whole.buffers.size()), weights(whole.weights.size()), states(whole.states.size());
  for (std::size_t n = nodes.first; n <= nodes.last; ++n) {
    const StructureNode& node = part.nodes.emplace_back(whole.nodes[n]);
    for (const auto* views : {&node.reads, &node.writes}) {
      for (const View& view : *views) buffers.use(view.buffer);
    }
    for (const std::int32_t w : node.weights) weights.use(w);
    if (node.layer >= 0) states.use(static_cast<std::int32_t>(node.layer));
  }
  part.buffers = buffers.kept(whole.buffers);
  part.weights = weights.kept(whole.weights);
  part.states = states.kept(whole.states);
  part.logits = buffers[whole.logits];
  for (StructureNode& node : part.nodes) {
    for (auto* views : {&node.reads, &node.writes}) {
      for (View& view : *views) view.buffer = buffers[view.buffer];
    }
    for (std::int32_t& w : node.weights) w = weights[w];
  }
  const auto first = static_cast<std::int32_t>(nodes.first), last = static_cast<std::int32_t>(nodes.last);
  for (const StructureEdge& e : whole.edges) {
    if (e.from >= first && e.to <= last)
      part.edges.push_back({e.from - first, e.to - first, buffers[e.buffer]});
  }
  return part;
}

}  // namespace

std::vector<Stage> stages_of(const Structure& whole) {
  std::vector<Stage> stages;
  std::size_t first = 0;
  for (std::size_t n = 0; n <= whole.nodes.size(); ++n) {
    if (n < whole.nodes.size() && whole.nodes[n].role != Role::hand_over) continue;
    const NodeRange nodes{first, n - 1};
    stages.push_back({part_of(whole, nodes), nodes});
    first = n + 1;
  }
  return stages;
}

}  // namespace inferometer
