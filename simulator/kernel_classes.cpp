#include "simulator/kernel_classes.hpp"

#include <algorithm>

#include "model/launch.hpp"

namespace inferometer {

bool KernelClasses::alike(const NodeRange& a, const NodeRange& b) const {
  if (a.last - a.first != b.last - b.first) return false;
  for (std::size_t i = 0; i <= a.last - a.first; ++i) {
    const StructureNode &x = structure_.nodes[a.first + i], &y = structure_.nodes[b.first + i];
    if (x.rows != y.rows || !(x.op == y.op)) return false;
  }
  return true;
}

std::int32_t KernelClasses::class_of(const NodeRange& kernel) {
  const auto found =
      std::find_if(classes_.begin(), classes_.end(), [&](const Class& c) { return alike(c.nodes, kernel); });
  if (found == classes_.end()) {
    Class added{.nodes = kernel};
    for (std::size_t v = kernel.first; v <= kernel.last; ++v) {
      const Rows rows = structure_.nodes[v].rows;
      added.tokens |= rows == Rows::tokens || rows == Rows::assignments;
      added.logits |= rows == Rows::logits;
      added.group |= rows == Rows::received;
    }
    classes_.push_back(std::move(added));
    return static_cast<std::int32_t>(classes_.size()) - 1;
  }
  return static_cast<std::int32_t>(found - classes_.begin());
}

const KernelClasses::Timed& KernelClasses::time(std::int32_t kernel_class, const StepTotals& totals,
                                                double clock) {
  Class& c = classes_[static_cast<std::size_t>(kernel_class)];
  require(!c.group || !c.logits, "a kernel of experts and of logits");
  const std::int64_t tokens = totals.tokens(), all = std::max(tokens, totals.group_tokens);
  const bool is_recorded = recorded(totals, case_.plan);
  const std::uint64_t key = (is_recorded ? std::uint64_t{1} << 63 : 0) |
                            (c.tokens ? static_cast<std::uint64_t>(tokens) << 32 : 0) |
                            (c.logits  ? static_cast<std::uint64_t>(totals.logit_rows)
                             : c.group ? static_cast<std::uint64_t>(all)
                                       : 0);
  const auto [known, is_new] = c.known[clock].try_emplace(key, Timed{});
  if (!is_new) return known->second;
  const Features sizes{.tokens = tokens,
                       .sequences = totals.logit_rows,
                       .logit_rows = totals.logit_rows,
                       .group_tokens = totals.group_tokens};
  const NodeRange nodes{0, c.nodes.last - c.nodes.first};
  Graph graph(nodes.last + 1);
  for (std::size_t v = 0; v <= nodes.last; ++v) {
    const std::size_t node = c.nodes.first + v;
    graph[v] = {bind(structure_.nodes[node], structure_, sizes), static_cast<std::int32_t>(node)};
  }
  KernelTimes times(case_.cluster.device, calibration_, clock);
  const KernelEstimate e =
      estimate_kernel(graph, nodes, times, launch_mode(is_recorded, case_.plan.launch.overlap));
  return known->second = {.alone = e.time, .of_library = e.of_library};
}

}  // namespace inferometer
