#include "simulator/step_predictor.hpp"

#include <algorithm>

#include "model/few_tokens.hpp"
#include "model/launch.hpp"
#include "model/seeded.hpp"

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

/// A stretch behind those before it: one more of the last where it is like that.
template <class Stretch>
void append(std::vector<Stretch>& all, const Stretch& next) {
  if (!all.empty()) {
    Stretch& last = all.back();
    const Nanoseconds apart = next.host - last.host - (last.count - 1) * last.apart;
    const bool equal = last.work == next.work && last.attending == next.attending && next.attending >= 0 &&
                       (last.count == 1 || apart == last.apart) &&
                       next.latest - last.latest == last.count * apart;
    if (equal) {
      last.apart = apart;
      ++last.count;
      return;
    }
  }
  all.push_back(next);
}

/// Shapes that are kept: some hundred bytes each.
constexpr std::size_t most_shapes = 200'000;

}  // namespace

std::size_t StepPredictor::ShapeHash::operator()(const ShapeKey& k) const {
  return mix(static_cast<std::uint64_t>(k.tokens) << 34 ^ static_cast<std::uint64_t>(k.logit_rows) << 2 ^
             static_cast<std::uint64_t>(k.kind)) +
         static_cast<std::uint64_t>(k.group_tokens) + std::hash<double>{}(k.clock);
}

StepPredictor::StepPredictor(const Case& c, const Structure& structure, const Calibration& calibration)
    : case_(c),
      structure_(structure),
      calibration_(calibration),
      classes_(c, structure, calibration),
      clock_(c, structure, calibration) {
  for (const StructureNode& node : structure.nodes) {
    joins_.push_back(node.joins_up_to);
    joins_.push_back(node.joins_from - 1);
  }
  std::sort(joins_.begin(), joins_.end());
  joins_.erase(std::unique(joins_.begin(), joins_.end()), joins_.end());
}

Nanoseconds StepPredictor::attend(const Attending& a, const Attended& lengths, Seconds gap,
                                  double clock) const {
  double us = 0;
  if (lengths.single.count > 0)
    us +=
        predict_by(a.single, single_tokens(a.op, lengths.single, a.kernel), a.single_chip, calibration_.level)
            .parts.total;
  if (lengths.prompts.count > 0)
    us += predict_by(a.prompts, prompts(a.op, lengths.prompts), a.prompts_chip.at_clock(clock),
                     calibration_.level)
              .parts.total;
  return to_ticks(Seconds{us * 1e-6} + gap);
}

const StepPredictor::Pattern& StepPredictor::pattern_of(const StepTotals& run) {
  const auto beyond = std::lower_bound(joins_.begin(), joins_.end(), run.tokens()) - joins_.begin();
  const auto [known, is_new] = patterns_.try_emplace(
      {static_cast<std::size_t>(beyond), fills_tiles(run.tokens()), kind_of(run)}, Pattern{});
  Pattern& pattern = known->second;
  if (!is_new) return pattern;
  const StepModels& models = models_of(calibration_);
  const Device& device = case_.cluster.device;
  const Features features = alike(run);
  const Graph graph = bind(structure_, features);
  const LaunchMode mode = launch_mode(recorded(run, case_.plan), case_.plan.launch.overlap);
  for (std::size_t v = 0; v < structure_.nodes.size(); ++v) {
    const NodeRange kernel = kernel_of(structure_, v, features);
    if (kernel.first != v) continue;
    const Attention* op = attention_in(graph, kernel);
    if (op == nullptr) {
      pattern.pieces.push_back({.kernel_class = classes_.class_of(kernel)});
      continue;
    }
    Attending attending{
        .op = *op, .kernel = {.executed = models.executed(), .appends = attention_appends(graph, kernel)}};
    attending.op.slices.clear();
    for (const StepCall& call : step_calls(graph, kernel, mode, models.executed())) {
      const bool of_prompts = std::holds_alternative<ContextAttention>(call.call);
      (of_prompts ? attending.prompts : attending.single) = models.find(call);
      (of_prompts ? attending.prompts_chip : attending.single_chip) =
          chip_of(device, multiplied_by(call.call));
    }
    std::vector<Attending>& known_ones = pattern.attending;
    const auto same = std::find_if(known_ones.begin(), known_ones.end(), [&](const Attending& a) {
      return same_heads(a.op, attending.op) && a.kernel.appends == attending.kernel.appends &&
             a.single == attending.single && a.prompts == attending.prompts;
    });
    pattern.pieces.push_back({.attending = static_cast<std::int32_t>(same - known_ones.begin())});
    if (same == known_ones.end()) known_ones.push_back(std::move(attending));
  }
  return pattern;
}

StepPredictor::Shape StepPredictor::shape_of(const StepTotals& run, bool is_recorded, double clock) {
  const Device& device = case_.cluster.device;
  Shape shape{.pattern = &pattern_of(run)};
  const Gaps gaps = models_of(calibration_).gaps(launch_mode(is_recorded, case_.plan.launch.overlap), device);
  shape.gap = gaps.between;
  shape.dispatch = *gaps.dispatch;
  const Nanoseconds dispatch = to_ticks(shape.dispatch);
  Stretch stretch;
  Nanoseconds host{0};
  GapWalk walk(gaps);
  for (const Piece& piece : shape.pattern->pieces) {
    host += dispatch;
    if (piece.attending < 0) {
      const auto& [alone, of_library] = classes_.time(piece.kernel_class, run, clock);
      const Nanoseconds ticks = to_ticks(alone + walk.next(of_library));
      stretch.work += ticks;
      stretch.latest = std::max(stretch.latest, host) + ticks;
      continue;
    }
    walk.next(false);  // its gap is `between`
    stretch.attending = piece.attending;
    stretch.host = host;
    append(shape.stretches, std::exchange(stretch, {}));
  }
  append(shape.stretches, stretch);
  return shape;
}

Nanoseconds StepPredictor::time(const Features& asked) {
  if (!closed() || asked.copy_beside) return predict(case_, structure_, asked, calibration_).timeline.end;
  return time(totals_of(asked));
}

bool StepPredictor::closed() const {
  return case_.cluster.device.kind == DeviceKind::gpu &&
         case_.plan.kernels.attention != AttentionKernel::naive && case_.plan.parallel.pipeline == 1;
}

Nanoseconds StepPredictor::time(const StepTotals& asked) {
  if (!closed()) return predict(case_, structure_, alike(asked), calibration_).timeline.end;
  const StepTotals run = padded(asked, case_.plan);
  const Nanoseconds at_top = time_at(1, asked, run);
  const double clock = clock_.of(asked, at_top).value_or(1);
  return clock < 1 ? time_at(clock, asked, run) : at_top;
}

Nanoseconds StepPredictor::time_at(double clock, const StepTotals& asked, const StepTotals& run) {
  const ShapeKey key{run.tokens(), run.logit_rows, run.group_tokens, kind_of(run), clock};
  auto known = shapes_.find(key);
  if (known == shapes_.end()) {
    if (shapes_.size() == most_shapes) shapes_.clear();
    known = shapes_.emplace(key, shape_of(run, recorded(asked, case_.plan), clock)).first;
  }
  const Shape& shape = known->second;
  attended_.clear();
  for (const Attending& a : shape.pattern->attending)
    attended_.push_back(attend(a, run.attended, shape.gap, clock));
  // The engine's time comes before the first launch, and is rounded with it.
  const Seconds engine_time =
      case_.engine.per_step + static_cast<double>(asked.sequences()) * case_.engine.per_sequence;
  const Nanoseconds engine = to_ticks(shape.dispatch + engine_time) - to_ticks(shape.dispatch);
  Nanoseconds end{0};
  for (const Stretch& s : shape.stretches) {
    const bool attends = s.attending >= 0;
    const Nanoseconds attention = attends ? attended_[static_cast<std::size_t>(s.attending)] : Nanoseconds{0};
    const Nanoseconds launched = std::max(s.work > Nanoseconds{0} ? engine + s.latest : Nanoseconds{0},
                                          attends ? engine + s.host : Nanoseconds{0});
    const Nanoseconds each = s.work + attention;
    end = std::max({end + s.count * each, launched + attention + (s.count - 1) * each,
                    launched + attention + (s.count - 1) * s.apart});
  }
  return end;
}

}  // namespace inferometer
