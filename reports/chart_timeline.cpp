#include <algorithm>

#include "reports/charts.hpp"
#include "reports/svg.hpp"

namespace inferometer {
namespace {

constexpr double width = 1000, left = 210, right = 10, lane = 14, row = 42;

double ms(Nanoseconds t) { return std::chrono::duration<double, std::milli>(t).count(); }

/// When the last span ends.
double end_ms(const Timeline& timeline) {
  Nanoseconds end = timeline.end;
  for (const Span& s : timeline.spans) end = std::max(end, s.start + s.duration);
  return ms(end);
}

/// What a span is coloured by.
std::string_view color(const VariantResult& v, const Span& span) {
  if (span.kind == SpanKind::copy) return "link";
  if (span.nodes.empty()) return "gap";
  const AnyOperator& op = v.structure.nodes[static_cast<std::size_t>(span.nodes[0])].op;
  const std::string_view kind = name(op);
  if (kind.ends_with("linear")) return "product";
  if (kind == "attention" || kind == "kv_write" || kind == "rope") return "attention";
  if (kind == "all_reduce" || kind == "all_to_all" || kind == "hand_over") return "link";
  return "other";
}

std::string lane_of(const VariantResult& v, const Timeline& timeline, double y, double scale) {
  std::string text;
  for (const Span& span : timeline.spans) {
    const double x = left + ms(span.start) * scale, w = ms(span.duration) * scale;
    if (w < 0.05) continue;  // not to be seen
    const std::string title =
        span.nodes.empty() ? span.kernel : v.structure.nodes[static_cast<std::size_t>(span.nodes[0])].name;
    // A copy runs beside what the lane shows: along its lower edge.
    const double height = span.kind == SpanKind::copy ? lane / 3 : lane;
    text += svg_rect(x, y + lane - height, w, height, color(v, span),
                     fmt::format("{}: {:.1f} µs", title, ms(span.duration) * 1e3));
  }
  return text;
}

}  // namespace

std::string timeline_chart(const StudyResult& study, std::size_t phase) {
  double longest = 0;
  for (const VariantResult& v : study.variants) {
    const PhaseResult& p = v.phases.at(phase);
    longest = std::max({longest, end_ms(p.prediction.timeline), p.profile ? end_ms(*p.profile) : 0.0});
  }
  const double scale = (width - left - right) / longest;
  std::string content;
  double y = 4;
  for (const VariantResult& v : study.variants) {
    const PhaseResult& p = v.phases[phase];
    content += svg_text(left - 10, y + 18, "label end", v.name);
    content += lane_of(v, p.prediction.timeline, y, scale);
    if (p.profile) content += lane_of(v, *p.profile, y + lane + 2, scale);
    y += row;
  }
  content += svg_text(left, y + 8, "tick", "0");
  content += svg_text(width - right, y + 8, "tick end", fmt::format("{:.2f} ms", longest));
  return svg(width, y + 14, study.variants.front().phases[phase].name + ": spans of one step", content);
}

}  // namespace inferometer
