#include "roofline/steps/estimate_kernel.hpp"

#include <algorithm>

#include "roofline/work.hpp"

namespace inferometer {
namespace {

Estimate asked(const AnyOperator& op) {
  const Work work = work_of(op);
  return {.parts = {},
          .bound = Bound::launch,
          .flops = work.flops,
          .compulsory = work.compulsory(),
          .moved = work.compulsory() + work.unfused};
}

Bound bound_of(const KernelTime& t) {
  if (t.floor >= 0.5 * t.total) return Bound::launch;
  return t.compute >= t.memory ? Bound::compute : Bound::memory;
}

/// All that a call's time depends on beside its variant.
std::vector<double> sizes_of(const KernelCall& call) {
  std::vector<double> sizes = features_of(call);
  for (const std::int64_t s : shape_of(call)) sizes.push_back(static_cast<double>(s));
  return sizes;
}

Seconds us(double t) { return Seconds{t * 1e-6}; }

}  // namespace

const StepModels& models_of(const Calibration& calibration) {
  static const StepModels generic;
  return calibration.kernels ? *calibration.kernels : generic;
}

std::size_t main_node(const Graph& graph, const NodeRange& kernel) {
  std::size_t attention = kernel.last + 1;
  for (std::size_t v = kernel.first; v <= kernel.last; ++v) {
    const AnyOperator& op = graph[v].op;
    if (std::holds_alternative<Linear>(op) || std::holds_alternative<ExpertLinear>(op) ||
        std::holds_alternative<BatchedLinear>(op))
      return v;
    if (std::holds_alternative<Attention>(op)) attention = v;
  }
  return attention <= kernel.last ? attention : kernel.first;
}

bool KernelTimes::executed() const { return models_of(calibration_).executed(); }

const KernelTimes::Timed& KernelTimes::of(const StepCall& call) {
  const auto [known, is_new] = known_.try_emplace(
      {std::string{operator_of(call.call)} + "/" + call.variant, sizes_of(call.call)}, Timed{});
  if (is_new)
    known->second.prediction = models_of(calibration_).predict(call, device_, calibration_.level, clock_);
  known->second.variant = &known->first.first;
  return known->second;
}

KernelEstimate estimate_kernel(const Graph& graph, const NodeRange& kernel, KernelTimes& times,
                               LaunchMode mode) {
  const Device& device = times.device();
  KernelEstimate estimate;
  std::vector<Estimate>& nodes = estimate.nodes;
  Flops flops{0};
  Bytes bytes{0};
  for (std::size_t v = kernel.first; v <= kernel.last; ++v) {
    nodes.push_back(asked(graph[v].op));
    flops += nodes.back().flops;
    bytes += nodes.back().compulsory;
  }
  KernelTime sum;
  double flops_per_us = 1;
  bool link = false;
  const std::vector<StepCall> calls = step_calls(graph, kernel, mode, times.executed());
  estimate.of_library = of_library(calls);
  for (const StepCall& call : calls) {
    estimate.calls.push_back(&times.of(call));
    const KernelTime& t = estimate.calls.back()->prediction.parts;
    sum = {sum.total + t.total, sum.floor + t.floor, sum.compute + t.compute, sum.memory + t.memory};
    flops_per_us = chip_at(device, call.call, times.clock()).flops;
    link = std::holds_alternative<Collective>(call.call);
  }
  estimate.time = us(sum.total);
  Estimate& e = nodes[main_node(graph, kernel) - kernel.first];
  e.bound = link ? Bound::link : bound_of(sum);
  e.parts.launch = us(std::min(sum.floor, sum.total));
  const Seconds work = us(sum.total) - e.parts.launch;
  e.compute = link ? Seconds{0} : us(std::min(sum.compute, work.count() * 1e6));
  e.memory = us(std::min(sum.memory, work.count() * 1e6));
  if (link) e.link = std::exchange(e.memory, Seconds{0});
  const Seconds at_peak = link                        ? e.link
                          : sum.compute >= sum.memory ? us(static_cast<double>(flops.value) / flops_per_us)
                                                      : bytes / device.memory_bandwidth.value;
  (sum.compute >= sum.memory && !link ? e.parts.flops : e.parts.bytes) = std::min(at_peak, work);
  e.parts.wave = work - std::min(at_peak, work);
  return estimate;
}

}  // namespace inferometer
