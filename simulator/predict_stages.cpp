#include "simulator/predict_stages.hpp"

#include <algorithm>

#include "model/launch.hpp"
#include "model/stages.hpp"
#include "roofline/hand_over.hpp"

namespace inferometer {
namespace {

/// Behind what is there, from `start` on.
void append(Timeline& all, Timeline stage, Nanoseconds start, std::size_t first_node, std::size_t stream) {
  for (Span& span : stage.spans) {
    span.start += start;
    span.stream = static_cast<std::int32_t>(stream);
    for (std::int32_t& node : span.nodes) node += static_cast<std::int32_t>(first_node);
    all.spans.push_back(std::move(span));
  }
  all.end = start + stage.end;
}

/// Calls of one model are off alike, in whatever stage they are.
std::optional<Interval> both(const std::optional<Interval>& a, const std::optional<Interval>& b) {
  if (!a || !b) return std::nullopt;
  return Interval{a->low + b->low, a->high + b->high};
}

}  // namespace

Case stage_case(const Case& c, std::size_t stage) {
  Case alone = c;
  alone.plan.parallel.pipeline = 1;
  if (stage > 0) alone.engine.per_step = alone.engine.per_sequence = Seconds{0};
  return alone;
}

Prediction predict_stages(const Case& c, const Structure& structure, const Features& features,
                          const Calibration& calibration) {
  const Features run = padded(features, c.plan);
  const std::vector<Stage> stages = stages_of(structure);
  Prediction all{.level = calibration.level, .interval = Interval{}};
  for (std::size_t s = 0; s < stages.size(); ++s) {
    const Nanoseconds start = all.timeline.end;
    const std::size_t first = stages[s].nodes.first;
    if (s > 0) {
      const AnyOperator op = bind(structure.nodes[first - 1], structure, run);
      const Estimate& e = all.nodes.emplace_back(estimate(std::get<HandOver>(op), c.cluster.device));
      all.gaps.emplace_back(0);
      Timeline handed{.spans = {{.nodes = {0}, .duration = to_ticks(e.time()), .kernel = "hand_over"}},
                      .end = to_ticks(e.time())};
      append(all.timeline, std::move(handed), start, first - 1, s - 1);
      all.interval = both(all.interval, Interval{all.timeline.end - start, all.timeline.end - start});
    }
    Prediction p = predict(stage_case(c, s), stages[s].structure, features, calibration);
    append(all.timeline, std::move(p.timeline), all.timeline.end, first, s);
    all.nodes.insert(all.nodes.end(), p.nodes.begin(), p.nodes.end());
    all.interval = both(all.interval, p.interval);
    if (p.clock) all.clock = std::min(all.clock.value_or(1), *p.clock);
    all.gaps.insert(all.gaps.end(), p.gaps.begin(), p.gaps.end());
  }
  return all;
}

}  // namespace inferometer
