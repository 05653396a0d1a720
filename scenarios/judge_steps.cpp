#include "scenarios/judge_steps.hpp"

#include <map>
#include <utility>

#include "model/launch.hpp"
#include "roofline/steps/estimate_kernel.hpp"
#include "roofline/steps/step_clocks.hpp"
#include "simulator/predict.hpp"
#include "simulator/step_work.hpp"

namespace inferometer {
namespace {

Seconds seconds(Nanoseconds t) { return std::chrono::duration_cast<Seconds>(t); }

std::string ops_of(const Structure& structure, const NodeRange& nodes) {
  std::string ops;
  for (std::size_t n = nodes.first; n <= nodes.last; ++n)
    ops += (n == nodes.first ? "" : " + ") + std::string{name(structure.nodes[n].op)};
  return ops;
}

std::string role_of(const StructureNode& node) { return node.name.substr(node.name.rfind('.') + 1); }

/// A measured step in the terms of the kernel models.
Result<StepSamples> sample_of(const GridRun& run, const GridStep& step, const Structure& structure,
                              const Graph& graph, StepWork& work) {
  const Plan& plan = run.settings.plan;
  StepSamples samples{.mode = launch_mode(recorded(features(step), plan), plan.launch.overlap),
                      .untraced = step.measured->median,
                      .clock = step.measured->clock,
                      .work = work.of(totals_of(features(step)))};
  for (const MeasuredKernel& k : step.measured->kernels) {
    if (k.last >= structure.nodes.size() || k.last < k.first)
      return failure(run.model + ", " + step.text + ": kernels of nodes that the network does not have");
    samples.kernels.push_back({step_calls(graph, {k.first, k.last}, samples.mode, true), k.exposed});
  }
  return samples;
}

/// Kernels of one role in all layers, as one.
Result<std::vector<JudgedKernel>> judge_kernels(const Structure& structure, const Graph& graph,
                                                const MeasuredStep& measured, const StepSamples& samples,
                                                const Prediction& prediction, Gaps gaps) {
  std::map<std::size_t, Seconds> times;
  for (const MeasuredKernel& k : kernels_of(prediction.timeline))
    times[k.first] = k.exposed - prediction.gaps[main_node(graph, {k.first, k.last})];
  std::vector<JudgedKernel> kernels;
  std::map<std::string, std::size_t> known;
  const double stretch = stretch_of(samples, gaps);
  for (std::size_t i = 0; i < measured.kernels.size(); ++i) {
    const MeasuredKernel& k = measured.kernels[i];
    if (!times.contains(k.first)) return failure("kernels of other nodes than are predicted to share them");
    const std::string ops = ops_of(structure, {k.first, k.last});
    const auto [at, is_new] = known.emplace(role_of(structure.nodes[k.first]) + ops, kernels.size());
    if (is_new)
      kernels.push_back({.op = std::string{name(structure.nodes[main_node(graph, {k.first, k.last})].op)},
                         .kernel = ops,
                         .count = 0,
                         .stretch = multiplies(samples.kernels[i]) ? stretch : 1});
    JudgedKernel& sum = kernels[at->second];
    ++sum.count;
    sum.predicted += times.at(k.first);
    sum.measured += k.exposed;
  }
  for (JudgedKernel& k : kernels) {
    k.predicted /= static_cast<double>(k.count);
    k.measured /= static_cast<double>(k.count);
  }
  return kernels;
}

}  // namespace

std::vector<MeasuredKernel> kernels_of(const Timeline& timeline) {
  std::vector<MeasuredKernel> kernels;
  const std::vector<Nanoseconds> exposed = exposed_times(timeline);
  Seconds gap{0};
  for (std::size_t s = 0; s < timeline.spans.size(); ++s) {
    const Span& span = timeline.spans[s];
    if (span.kind == SpanKind::gap) gap += seconds(span.duration);
    if (span.nodes.empty() || span.kind == SpanKind::gap) continue;
    const auto first = static_cast<std::size_t>(span.nodes.front()),
               last = static_cast<std::size_t>(span.nodes.back());
    if (kernels.empty() || kernels.back().first != first)
      kernels.push_back({first, last, Seconds{0}, Seconds{0}});
    kernels.back().exposed += seconds(exposed[s]);
    kernels.back().gap += std::exchange(gap, Seconds{0});
  }
  return kernels;
}

Result<std::vector<StepSamples>> samples_of(const StepGrid& grid) {
  std::vector<StepSamples> all;
  for (const GridRun& run : grid.runs) {
    const Result<Structure> structure = compile(run.settings.model(), run.settings.plan);
    if (!structure) return failure(structure.error());
    StepWork work(run.settings, *structure);
    for (const GridStep& step : run.steps) {
      if (!step.measured) continue;
      const Graph graph = bind(*structure, padded(features(step), run.settings.plan));
      Result<StepSamples> samples = sample_of(run, step, *structure, graph, work);
      if (!samples) return failure(samples.error());
      all.push_back(std::move(*samples));
    }
  }
  return all;
}

Result<JudgedGrid> judge_steps(const StepGrid& grid, const Calibration& calibration) {
  JudgedGrid judged;
  for (const GridRun& run : grid.runs) {
    const auto gaps_of = [&](LaunchMode mode) {
      return models_of(calibration).gaps(mode, run.settings.cluster.device);
    };
    const Result<Structure> structure = compile(run.settings.model(), run.settings.plan);
    if (!structure) return failure(structure.error());
    if (run.memory_used)
      judged.memory.push_back({run.model, run.plan, run.format,
                               memory_budget(run.settings, *structure).total(), run.memory_used->total()});
    StepWork work(run.settings, *structure);
    for (const GridStep& step : run.steps) {
      if (!step.measured) continue;
      const MeasuredStep& m = *step.measured;
      const Prediction p = predict(run.settings, *structure, features(step), calibration);
      const Graph graph = bind(*structure, padded(features(step), run.settings.plan));
      const Result<StepSamples> samples = sample_of(run, step, *structure, graph, work);
      if (!samples) return failure(samples.error());
      Result<std::vector<JudgedKernel>> kernels =
          judge_kernels(*structure, graph, m, *samples, p, gaps_of(samples->mode));
      if (!kernels) return failure(run.model + ", " + step.text + ": " + kernels.error().front().message);
      judged.steps.push_back({.model = run.model,
                              .plan = run.plan,
                              .format = run.format,
                              .step = step.text,
                              .predicted = seconds(p.timeline.end),
                              .measured = m.median,
                              .p10 = m.p10,
                              .p90 = m.p90,
                              .interval = p.interval,
                              .predicted_clock = p.clock,
                              .measured_clock = m.clock,
                              .throttled = m.throttled,
                              .kernels = std::move(*kernels)});
    }
  }
  return judged;
}

}  // namespace inferometer
