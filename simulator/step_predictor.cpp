#include "simulator/step_predictor.hpp"

#include <algorithm>

#include "model/launch.hpp"

namespace inferometer {
namespace {

/// What decides which nodes share kernels, and how attention runs.
int kind_of(const StepTotals& run) {
  return (run.attended.single.count > 0 ? 1 : 0) | (run.attended.prompts.count > 0 ? 2 : 0);
}

bool same_heads(const Attention& a, const Attention& b) {
  return std::tie(a.heads, a.kv_heads, a.head_dim, a.window, a.v_in_k, a.dtype, a.kv_dtype) ==
         std::tie(b.heads, b.kv_heads, b.head_dim, b.window, b.v_in_k, b.dtype, b.kv_dtype);
}

const Attention* attention_in(const Graph& graph, const NodeRange& kernel) {
  for (std::size_t v = kernel.first; v <= kernel.last; ++v) {
    if (const auto* a = std::get_if<Attention>(&graph[v].op)) return a;
  }
  return nullptr;
}

}  // namespace

StepPredictor::StepPredictor(const Case& c, const Structure& structure, const Calibration& calibration)
    : case_(c), structure_(structure), calibration_(calibration) {}

Nanoseconds StepPredictor::attend(const Attending& a, const Attended& lengths, Seconds gap) const {
  const Device& device = case_.cluster.device;
  double us = 0;
  if (lengths.single.count > 0) {
    const KernelCall call = single_tokens(a.op, lengths.single);
    us += predict_by(a.single, call, chip_of(device, multiplied_by(call)), calibration_.level).parts.total;
  }
  if (lengths.prompts.count > 0) {
    const KernelCall call = prompts(a.op, lengths.prompts);
    us += predict_by(a.prompts, call, chip_of(device, multiplied_by(call)), calibration_.level).parts.total;
  }
  return to_ticks(Seconds{us * 1e-6} + gap);
}

StepPredictor::Shape StepPredictor::shape_of(const Features& run, bool is_recorded) const {
  const Device& device = case_.cluster.device;
  const StepModels& models = models_of(calibration_);
  const bool overlap = case_.plan.launch.overlap;
  Shape shape;
  shape.eager = !is_recorded;
  shape.gap = models.gap(launch_mode(!shape.eager, overlap), device);
  const Nanoseconds dispatch = shape.eager ? to_ticks(device.host_dispatch.value) : Nanoseconds{0};
  const Graph graph = bind(structure_, run);
  KernelTimes times(device, calibration_);
  Stretch stretch;
  Nanoseconds host{0};
  for (std::size_t v = 0; v < structure_.nodes.size(); ++v) {
    const NodeRange kernel = kernel_of(structure_, v, run);
    if (kernel.first != v) continue;
    host += dispatch;
    if (const Attention* op = attention_in(graph, kernel)) {
      Attending attending{.op = *op};
      attending.op.slices.clear();
      for (const StepCall& call : step_calls(graph, kernel, overlap))
        (std::holds_alternative<ContextAttention>(call.call) ? attending.prompts : attending.single) =
            models.find(call);
      const auto known =
          std::find_if(shape.attending.begin(), shape.attending.end(), [&](const Attending& a) {
            return same_heads(a.op, attending.op) && a.single == attending.single &&
                   a.prompts == attending.prompts;
          });
      stretch.attending = static_cast<std::int32_t>(known - shape.attending.begin());
      if (known == shape.attending.end()) shape.attending.push_back(std::move(attending));
      stretch.host = host;
      shape.stretches.push_back(std::exchange(stretch, {}));
      continue;
    }
    const Nanoseconds alone = to_ticks(estimate_kernel(graph, kernel, times, overlap).time + shape.gap);
    stretch.work += alone;
    stretch.latest = std::max(stretch.latest, host) + alone;
  }
  shape.stretches.push_back(stretch);
  return shape;
}

Nanoseconds StepPredictor::time(const Features& asked) {
  if (!closed() || asked.copy_beside) return predict(case_, structure_, asked, calibration_).timeline.end;
  return time(totals_of(asked));
}

bool StepPredictor::closed() const {
  return case_.cluster.device.kind == DeviceKind::gpu &&
         case_.plan.kernels.attention != AttentionKernel::naive;
}

Nanoseconds StepPredictor::time(const StepTotals& asked) {
  if (!closed()) return predict(case_, structure_, alike(asked), calibration_).timeline.end;
  const StepTotals run = padded(asked, case_.plan);
  const std::tuple key{run.tokens(), run.sequences(), run.logit_rows, kind_of(run)};
  auto known = shapes_.find(key);
  if (known == shapes_.end())
    known = shapes_.emplace(key, shape_of(alike(run), recorded(asked, case_.plan))).first;
  const Shape& shape = known->second;
  attended_.clear();
  for (const Attending& a : shape.attending) attended_.push_back(attend(a, run.attended, shape.gap));
  // The engine's time comes before the first launch, and is rounded with it.
  const Seconds dispatch = shape.eager ? case_.cluster.device.host_dispatch.value : Seconds{0};
  const Seconds engine_time =
      case_.engine.per_step + static_cast<double>(asked.sequences()) * case_.engine.per_sequence;
  const Nanoseconds engine = to_ticks(dispatch + engine_time) - to_ticks(dispatch);
  Nanoseconds end{0};
  for (const Stretch& s : shape.stretches) {
    end = std::max(end + s.work, s.work > Nanoseconds{0} ? engine + s.latest : Nanoseconds{0});
    if (s.attending >= 0)
      end = std::max(end, engine + s.host) + attended_[static_cast<std::size_t>(s.attending)];
  }
  return end;
}

}  // namespace inferometer
