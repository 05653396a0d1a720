#include "simulator/predict.hpp"

#include <algorithm>
#include <boost/range/iterator_range.hpp>
#include <cmath>
#include <map>
#include <utility>

#include "model/launch.hpp"
#include "roofline/copy.hpp"
#include "roofline/roofline.hpp"
#include "roofline/steps/estimate_kernel.hpp"
#include "simulator/predict_stages.hpp"
#include "simulator/step_clock.hpp"
#include "simulator/step_simulator.hpp"

namespace inferometer {
namespace {

enum Resource : int { memory, compute, link, host_link, resources };

constexpr int copy_stream = 1;

/// What a task takes of the resources. They are counted in seconds of their full use, so that each one's
/// capacity is 1. Beside a launch the use of a tiny kernel may be lost to rounding: it is never more than
/// what is left of the time.
void demand(Task& task, const Estimate& e, Resource link_used) {
  const double left = (task.alone - task.overlap).count();
  const auto use = [&](Resource resource, Seconds full) {
    if (full.count() > 0) task.demands.push_back({resource, std::min(full.count(), left)});
  };
  use(memory, e.memory);
  use(compute, e.compute);
  use(link_used, e.link);
}

/// One kernel: what its nodes ask together, launched once.
Task task_of(const Graph& graph, const NodeRange& kernel, std::span<const Estimate> estimates,
             std::span<const int> task_of_node, Seconds alone, Seconds dispatch) {
  Task task{.alone = alone, .host = dispatch};
  Estimate e;
  for (std::size_t v = kernel.first; v <= kernel.last; ++v) {
    e.memory += estimates[v].memory;
    e.compute += estimates[v].compute;
    e.link += estimates[v].link;
  }
  demand(task, e, link);
  const int self = task_of_node[kernel.first];
  for (std::size_t v = kernel.first; v <= kernel.last; ++v) {
    for (const auto edge : boost::make_iterator_range(in_edges(v, graph))) {
      if (const int other = task_of_node[source(edge, graph)]; other != self) task.after.push_back(other);
    }
  }
  return task;
}

Task task_of(const Estimate& copy, Seconds dispatch) {
  Task task{.alone = copy.time(), .stream = copy_stream, .host = dispatch};
  demand(task, copy, host_link);
  return task;
}

Span span_of(const CopyBeside& copy, const TaskTimes& times) {
  return {.nodes = {},
          .kind = SpanKind::copy,
          .stream = copy_stream,
          .start = times.start,
          .duration = times.end - times.start,
          .kernel = "copy " + std::string{name(copy.direction)}};
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

/// Calls of one model are off alike, those of different models independently of each other. Nothing where a
/// model has no evidence.
std::optional<Interval> interval_of(const std::map<const KernelTimes::Timed*, int>& calls, Nanoseconds end) {
  struct Off {
    double below = 0, above = 0;  // us
  };
  std::map<std::string_view, Off> by_name;
  for (const auto& [call, count] : calls) {
    const KernelPrediction& p = call->prediction;
    if (p.high <= p.low) return std::nullopt;
    Off& off = by_name[*call->variant];
    off.below += count * (p.time - p.low);
    off.above += count * (p.high - p.time);
  }
  double below = 0, above = 0;  // us²
  for (const auto& [name, off] : by_name) {
    below += off.below * off.below;
    above += off.above * off.above;
  }
  return Interval{std::max(Nanoseconds{0}, end - to_ticks(Seconds{1e-6 * std::sqrt(below)})),
                  end + to_ticks(Seconds{1e-6 * std::sqrt(above)})};
}

Prediction predict_at(double clock, const Case& c, const Structure& structure, const Features& features,
                      const Calibration& calibration) {
  const Features run = padded(features, c.plan);
  const Graph graph = bind(structure, run);
  const Surroundings surroundings{.persistent = persistent_bytes(graph, c.cluster.device)};
  Prediction prediction{.timeline = {}, .nodes = {}, .level = calibration.level};
  std::vector<Task> tasks;
  const bool eager = c.cluster.device.kind == DeviceKind::gpu && !recorded(features, c.plan);
  std::vector<NodeRange> kernels;
  std::vector<int> task_of_node;
  const Device& device = c.cluster.device;
  const bool gpu = device.kind == DeviceKind::gpu, overlap = c.plan.launch.overlap;
  const LaunchMode mode = launch_mode(!eager, overlap);
  const Gaps of_mode = gpu ? models_of(calibration).gaps(mode, device) : Gaps{.dispatch = Seconds{0}};
  const Seconds dispatch = *of_mode.dispatch;
  if (run.copy_beside) {
    prediction.copy = estimate(run.copy_beside, device, calibration);
    tasks.push_back(task_of(*prediction.copy, dispatch));  // it is launched first
  }
  const std::size_t copies = tasks.size();
  GapWalk gaps(of_mode);
  prediction.gaps.resize(num_vertices(graph), Seconds{0});
  KernelTimes kernel_times(device, calibration, clock);
  std::vector<Seconds> alone;                      // of kernels
  std::map<const KernelTimes::Timed*, int> calls;  // how often each is made
  for (std::size_t v = 0; v < num_vertices(graph); ++v) {
    const NodeRange kernel = kernel_of(structure, v, run);
    if (kernel.first == v) kernels.push_back(kernel);
    task_of_node.push_back(static_cast<int>(copies + kernels.size()) - 1);
    if (!gpu) {
      Estimate& e = prediction.nodes.emplace_back(estimate(graph[v].op, device, calibration, surroundings));
      if (kernel.first != v) e.parts.launch = Seconds{0};  // launched with the one before
      if (kernel.first == v) alone.emplace_back(0);
      alone.back() += e.time();
    } else if (kernel.first == v) {
      KernelEstimate e = estimate_kernel(graph, kernel, kernel_times, mode);
      const Seconds gap = gaps.next(e.of_library);
      const std::size_t main = main_node(graph, kernel);
      prediction.gaps[main] = gap;
      e.nodes[main - v].parts.launch += gap;
      alone.push_back(e.time + gap);
      for (const KernelTimes::Timed* call : e.calls) ++calls[call];
      prediction.nodes.insert(prediction.nodes.end(), e.nodes.begin(), e.nodes.end());
    }
  }
  for (std::size_t k = 0; k < kernels.size(); ++k)
    tasks.push_back(task_of(graph, kernels[k], prediction.nodes, task_of_node, alone[k], dispatch));
  // Within the device a kernel copies that was launched first: those of the step find no room beside its
  // registers and the loads that it has under way, until it ends.
  if (run.copy_beside.within_device() && copies > 0) tasks[copies].after.push_back(0);
  tasks.front().host += c.engine.per_step + static_cast<double>(features.sequences) * c.engine.per_sequence;
  const std::vector<double> capacities(resources, 1.0);
  const std::vector<TaskTimes> times = simulate_step(tasks, capacities);
  prediction.timeline = timeline_of(structure, kernels, std::span{times}.subspan(copies));
  if (gpu && calibration.level != Level::datasheet)
    prediction.interval = interval_of(calls, prediction.timeline.end);
  if (copies > 0) prediction.timeline.spans.push_back(span_of(run.copy_beside, times.front()));
  return prediction;
}

}  // namespace

Prediction predict(const Case& c, const Structure& structure, const Features& features,
                   const Calibration& calibration) {
  if (c.plan.parallel.pipeline > 1) return predict_stages(c, structure, features, calibration);
  Features alone = features;  // a copy beside the step is no rest
  alone.copy_beside = {};
  Prediction at_top = predict_at(1, c, structure, alone, calibration);
  const std::optional<double> clock =
      StepClock(c, structure, calibration).of(totals_of(features), at_top.timeline.end);
  Prediction prediction = clock.value_or(1) < 1 || features.copy_beside
                              ? predict_at(clock.value_or(1), c, structure, features, calibration)
                              : std::move(at_top);
  prediction.clock = clock;
  return prediction;
}

}  // namespace inferometer
