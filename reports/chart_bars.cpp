#include <algorithm>

#include "reports/charts.hpp"
#include "reports/svg.hpp"

namespace inferometer {
namespace {

double ms(Nanoseconds t) { return std::chrono::duration<double, std::milli>(t).count(); }

constexpr double width = 1000, left = 210, right = 120, row = 46, bar = 15;

}  // namespace

std::string step_time_bars(const StudyResult& study, std::size_t phase) {
  double longest = 0;
  for (const VariantResult& v : study.variants) {
    const PhaseResult& p = v.phases.at(phase);
    longest = std::max({longest, p.predicted.count() * 1e3, p.measured ? ms(p.measured->median) : 0.0});
  }
  longest *= 1.1;  // a wild 90th percentile must not flatten everything else: its line is cut there
  const double scale = (width - left - right) / longest;
  std::string content;
  double y = 8;
  for (const VariantResult& v : study.variants) {
    const PhaseResult& p = v.phases[phase];
    const double predicted = p.predicted.count() * 1e3;
    content += svg_text(left - 10, y + 20, "label end", v.name);
    content += svg_rect(left, y, predicted * scale, bar, "predicted",
                        fmt::format("{}: predicted {:.3f} ms", v.name, predicted));
    content += svg_text(left + predicted * scale + 6, y + 12, "value", fmt::format("{:.2f} ms", predicted));
    if (p.measured) {
      const double measured = ms(p.measured->median);
      content +=
          svg_rect(left, y + bar + 2, measured * scale, bar, "measured",
                   fmt::format("{}: measured {:.3f} ms, median of {}", v.name, measured, p.measured->n));
      const double high = std::min(longest, ms(p.measured->p90)) * scale;
      content += svg_line(left + std::min(longest, ms(p.measured->p10)) * scale, y + bar + 2 + bar / 2,
                          left + high, y + bar + 2 + bar / 2, "whisker");
      content += svg_text(left + std::max(measured * scale, high) + 6, y + 2 * bar, "value",
                          fmt::format("{:.2f} ms", measured));
    }
    y += row;
  }
  return svg(width, y, study.variants.front().phases[phase].name + ": time per step", content);
}

}  // namespace inferometer
