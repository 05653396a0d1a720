#include "profiler/attribute.hpp"

#include <algorithm>

#include "model/copy_beside.hpp"

namespace inferometer {
namespace {

std::int32_t node_of(const KernelRecord& kernel, const Trace& trace) {
  if (kernel.graph_node != 0) {
    const auto it = trace.node_of_graph_node.find(kernel.graph_node);
    return it == trace.node_of_graph_node.end() ? -1 : it->second;
  }
  const auto it = trace.node_of_call.find(kernel.correlation);
  return it == trace.node_of_call.end() ? -1 : it->second;
}

}  // namespace

Result<Timeline> attribute(const Trace& trace, const Structure& structure, const Features& run) {
  Errors errors;
  if (trace.dropped > 0)
    errors.push_back({"profile: " + std::to_string(trace.dropped) + " records were dropped"});
  std::vector<const KernelRecord*> kernels;
  for (const KernelRecord& k : trace.kernels) {
    if (node_of(k, trace) != copy_node) kernels.push_back(&k);
  }
  std::stable_sort(kernels.begin(), kernels.end(),
                   [](const auto* a, const auto* b) { return a->start < b->start; });
  Timeline timeline;
  for (const KernelRecord* k : kernels) {
    if (k->start <= Nanoseconds{0} || k->end < k->start) {
      errors.push_back({"profile: \"" + k->name + "\" has no valid times"});
      continue;
    }
    const std::int32_t node = node_of(*k, trace);
    if (node < 0 || node >= static_cast<std::int32_t>(structure.nodes.size())) {
      errors.push_back({"profile: \"" + k->name + "\" was launched by no node of the graph"});
      continue;
    }
    const bool sampling = structure.nodes[static_cast<std::size_t>(node)].role == Role::sample;
    const NodeRange kernel = kernel_of(structure, static_cast<std::size_t>(node), run);
    std::vector<std::int32_t> nodes;
    for (std::size_t n = kernel.first; n <= kernel.last; ++n) nodes.push_back(static_cast<std::int32_t>(n));
    timeline.spans.push_back({.nodes = std::move(nodes),
                              .kind = sampling ? SpanKind::sampling : SpanKind::kernel,
                              .stream = static_cast<std::int32_t>(k->stream),
                              .start = k->start - kernels.front()->start,
                              .duration = k->end - k->start,
                              .kernel = k->name});
    timeline.end = std::max(timeline.end, timeline.spans.back().start + timeline.spans.back().duration);
  }
  if (timeline.spans.empty() && errors.empty()) errors.push_back({"profile: no kernel was recorded"});
  if (!errors.empty()) return failure(std::move(errors));
  return timeline;
}

}  // namespace inferometer
