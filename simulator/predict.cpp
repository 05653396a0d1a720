#include "simulator/predict.hpp"

#include <algorithm>
#include <boost/range/iterator_range.hpp>

#include "model/launch.hpp"
#include "roofline/roofline.hpp"
#include "simulator/step_simulator.hpp"

namespace inferometer {
namespace {

enum Resource : int { memory, compute, link, resources };

/// One kernel: what its nodes ask together, launched once.
Task task_of(const Graph& graph, const NodeRange& kernel, std::span<const Estimate> estimates,
             std::span<const int> kernel_of_node, const Case& c, bool eager) {
  Task task;
  Estimate e;
  for (std::size_t v = kernel.first; v <= kernel.last; ++v) {
    task.alone += estimates[v].time();
    e.memory += estimates[v].memory;
    e.compute += estimates[v].compute;
    e.link += estimates[v].link;
  }
  // A dependent launch sets a kernel up while the one before drains.
  if (c.plan.launch.overlap) task.overlap = estimates[kernel.first].parts.launch;
  // Resources are counted in seconds of their full use, so that each one's capacity is 1. Beside a launch the
  // use of a tiny kernel may be lost to rounding: it is never more than what is left of the time.
  const double left = (task.alone - task.overlap).count();
  const auto use = [&](Resource resource, Seconds full) {
    if (full.count() > 0) task.demands.push_back({resource, std::min(full.count(), left)});
  };
  use(memory, e.memory);
  use(compute, e.compute);
  use(link, e.link);
  const int self = kernel_of_node[kernel.first];
  for (std::size_t v = kernel.first; v <= kernel.last; ++v) {
    for (const auto edge : boost::make_iterator_range(in_edges(v, graph))) {
      if (const int other = kernel_of_node[source(edge, graph)]; other != self) task.after.push_back(other);
    }
  }
  if (eager) task.host = c.cluster.device.host_dispatch.value;
  return task;
}

Timeline timeline_of(const Structure& structure, std::span<const NodeRange> kernels,
                     std::span<const TaskTimes> times) {
  Timeline timeline;
  Nanoseconds reached{0};
  for (std::size_t i = 0; i < times.size(); ++i) {
    if (times[i].start > reached) {
      timeline.spans.push_back({.nodes = {},
                                .kind = SpanKind::gap,
                                .start = reached,
                                .duration = times[i].start - reached,
                                .kernel = "gap"});
    }
    const StructureNode& first = structure.nodes[kernels[i].first];
    Span span{.nodes = {},
              .kind = first.role == Role::sample ? SpanKind::sampling : SpanKind::kernel,
              .start = times[i].start,
              .duration = times[i].end - times[i].start};
    for (std::size_t n = kernels[i].first; n <= kernels[i].last; ++n) {
      span.nodes.push_back(static_cast<std::int32_t>(n));
      span.kernel += (span.kernel.empty() ? "" : " + ") + std::string{name(structure.nodes[n].op)};
    }
    timeline.spans.push_back(std::move(span));
    reached = std::max(reached, times[i].end);
  }
  timeline.end = reached;
  return timeline;
}

}  // namespace

Prediction predict(const Case& c, const Structure& structure, const Features& features,
                   const Calibration& calibration) {
  const Features run = padded(features, c.plan);
  const Graph graph = bind(structure, run);
  const Surroundings surroundings{.persistent = persistent_bytes(graph)};
  Prediction prediction{.timeline = {}, .nodes = {}, .level = calibration.level};
  std::vector<Task> tasks;
  const bool eager = c.cluster.device.kind == DeviceKind::gpu && !recorded(features, c.plan);
  std::vector<NodeRange> kernels;
  std::vector<int> kernel_of_node;
  for (std::size_t v = 0; v < num_vertices(graph); ++v) {
    prediction.nodes.push_back(estimate(graph[v].op, c.cluster.device, calibration, surroundings));
    const NodeRange kernel = kernel_of(structure, v, run);
    if (kernel.first == v) {
      kernels.push_back(kernel);
    } else {
      prediction.nodes.back().parts.launch = Seconds{0};  // it is launched with the node before
    }
    kernel_of_node.push_back(static_cast<int>(kernels.size()) - 1);
  }
  for (const NodeRange& kernel : kernels)
    tasks.push_back(task_of(graph, kernel, prediction.nodes, kernel_of_node, c, eager));
  tasks.front().host += c.engine.per_step + static_cast<double>(features.sequences) * c.engine.per_sequence;
  const std::vector<double> capacities(resources, 1.0);
  prediction.timeline = timeline_of(structure, kernels, simulate_step(tasks, capacities));
  return prediction;
}

}  // namespace inferometer
