#include "simulator/predict.hpp"

#include <algorithm>
#include <boost/range/iterator_range.hpp>

#include "model/launch.hpp"
#include "roofline/roofline.hpp"
#include "simulator/step_simulator.hpp"

namespace inferometer {
namespace {

enum Resource : int { memory, compute, link, resources };

Task task_of(const Graph& graph, std::size_t v, const Estimate& e, const Case& c, bool eager) {
  Task task{.alone = e.time()};
  // Resources are counted in seconds of their full use, so that each one's capacity is 1.
  if (e.memory.count() > 0) task.demands.push_back({memory, e.memory.count()});
  if (e.compute.count() > 0) task.demands.push_back({compute, e.compute.count()});
  if (e.link.count() > 0) task.demands.push_back({link, e.link.count()});
  for (const auto edge : boost::make_iterator_range(in_edges(v, graph))) {
    task.after.push_back(static_cast<int>(source(edge, graph)));
  }
  // A dependent launch sets a kernel up while the one before drains.
  if (c.plan.launch.overlap) task.overlap = e.parts.launch;
  if (eager) task.host = c.cluster.device.host_dispatch.value;
  return task;
}

Timeline timeline_of(const Structure& structure, std::span<const TaskTimes> times) {
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
    const StructureNode& node = structure.nodes[i];
    timeline.spans.push_back({.nodes = {static_cast<std::int32_t>(i)},
                              .kind = node.role == Role::sample ? SpanKind::sampling : SpanKind::kernel,
                              .start = times[i].start,
                              .duration = times[i].end - times[i].start,
                              .kernel = std::string{name(node.op)}});
    reached = std::max(reached, times[i].end);
  }
  timeline.end = reached;
  return timeline;
}

}  // namespace

Features padded(const Features& features, const Plan& plan) {
  const std::int64_t extra = padding_sequences(features, plan);
  Features wider = features;
  wider.sequences += extra;
  wider.tokens += extra;
  wider.logit_rows += extra;
  wider.slices.insert(wider.slices.end(), static_cast<std::size_t>(extra), AttentionSlice{1, 0});
  return wider;
}

Prediction predict(const Case& c, const Structure& structure, const Features& features,
                   const Calibration& calibration) {
  const Graph graph = bind(structure, padded(features, c.plan));
  const Surroundings surroundings{.persistent = persistent_bytes(graph)};
  Prediction prediction{.timeline = {}, .nodes = {}, .level = calibration.level};
  std::vector<Task> tasks;
  const bool eager = c.cluster.device.kind == DeviceKind::gpu && !recorded(features, c.plan);
  for (std::size_t v = 0; v < num_vertices(graph); ++v) {
    prediction.nodes.push_back(estimate(graph[v].op, c.cluster.device, calibration, surroundings));
    tasks.push_back(task_of(graph, v, prediction.nodes.back(), c, eager));
  }
  tasks.front().host += c.engine.per_step + static_cast<double>(features.sequences) * c.engine.per_sequence;
  const std::vector<double> capacities(resources, 1.0);
  prediction.timeline = timeline_of(structure, simulate_step(tasks, capacities));
  return prediction;
}

}  // namespace inferometer
