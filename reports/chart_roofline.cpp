#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "reports/charts.hpp"
#include "reports/explanation.hpp"
#include "reports/svg.hpp"
#include "roofline/roofline.hpp"

namespace inferometer {
namespace {

constexpr double width = 1000, height = 460, left = 110, right = 20, top = 20, bottom = 50;

/// A logarithmic axis from `low` to `high` over [from, to] units.
struct Axis {
  double low, high, from, to;
  double at(double value) const {
    const double part = (std::log10(value) - std::log10(low)) / (std::log10(high) - std::log10(low));
    return from + std::clamp(part, 0.0, 1.0) * (to - from);
  }
};

struct Point {
  std::string title;
  double intensity = 0, rate = 0;
  bool measured = false, prefill = false;
};

double seconds(Nanoseconds t) { return std::chrono::duration<double>(t).count(); }

std::vector<Point> points_of(const VariantResult& v) {
  std::vector<Point> points;
  for (const PhaseResult& phase : v.phases) {
    const bool prefill = phase.name == "prefill";
    for (const RoleTime& r : explain(v.structure, phase).roles) {
      if (r.flops.value == 0 || r.bytes.value == 0) continue;
      const auto flops = static_cast<double>(r.flops.value);
      const auto add = [&](Nanoseconds time, bool measured) {
        if (time.count() <= 0) return;
        points.push_back(
            {fmt::format("{}, {}, {}: {:.2f} FLOP/B, {:.2f} GFLOP/s", r.role, phase.name,
                         measured ? "measured" : "predicted", flops / static_cast<double>(r.bytes.value),
                         flops / seconds(time) * 1e-9),
             flops / static_cast<double>(r.bytes.value), flops / seconds(time), measured, prefill});
      };
      add(r.predicted, false);
      if (r.measured) add(*r.measured, true);
    }
  }
  return points;
}

std::string engineering(double value, std::string_view unit) {
  constexpr std::array prefixes{"", "k", "M", "G", "T", "P"};
  std::size_t p = 0;
  while (value >= 999.5 && p + 1 < prefixes.size()) {
    value /= 1000;
    ++p;
  }
  return fmt::format("{:.3g} {}{}", value, prefixes[p], unit);
}

}  // namespace

std::string roofline_chart(const StudyResult& study) {
  const VariantResult& baseline = study.variants.front();
  const Device& device = baseline.settings.cluster.device;
  const std::vector<Point> points = points_of(baseline);
  double low_x = 0.1, high_x = 1000, low_y = 1e30, high_y = device.vector.value.value;
  for (const auto& [dtype, rate] : device.matrix) high_y = std::max(high_y, rate.value.value);
  for (const Point& p : points) {
    low_x = std::min(low_x, p.intensity);
    high_x = std::max(high_x, p.intensity);
    low_y = std::min(low_y, p.rate);
  }
  const Axis x{std::pow(10, std::floor(std::log10(low_x))), std::pow(10, std::ceil(std::log10(high_x))), left,
               width - right};
  const Axis y{std::pow(10, std::floor(std::log10(std::min(low_y, high_y * 0.01)))),
               std::pow(10, std::ceil(std::log10(high_y * 1.05))), height - bottom, top};
  std::string content;
  for (double v = x.low; v <= x.high * 1.01; v *= 10) {
    content += svg_line(x.at(v), top, x.at(v), height - bottom, "grid");
    content += svg_text(x.at(v), height - bottom + 18, "tick middle", fmt::format("{:g}", v));
  }
  for (double v = y.low; v <= y.high * 1.01; v *= 10) {
    content += svg_line(left, y.at(v), width - right, y.at(v), "grid");
    content += svg_text(left - 6, y.at(v) + 4, "tick end", engineering(v, "FLOP/s"));
  }
  content +=
      svg_text((left + width) / 2, height - 8, "tick middle", "operational intensity [FLOP per byte moved]");
  const double bandwidth = device.memory_bandwidth.value.value;
  const auto roof = [&](double rate, const std::string& title, double below) {
    const double ridge = rate / bandwidth;
    content +=
        svg_line(x.at(std::clamp(ridge, x.low, x.high)), y.at(rate), width - right, y.at(rate), "roof");
    content += svg_text(width - right - 4, y.at(rate) - 5 + below, "value end",
                        title + " " + engineering(rate, "FLOP/s"));
    return ridge;
  };
  double ridge = roof(device.vector.value.value, "vector", 20);
  std::map<double, std::string> roofs;  // dtypes of one rate share a line
  for (const auto& [dtype, rate] : device.matrix) {
    std::string& title = roofs[rate.value.value];
    title += (title.empty() ? "" : ", ") + std::string{name(dtype)};
  }
  for (const auto& [rate, title] : roofs) ridge = std::max(ridge, roof(rate, title, 0));
  const double start = std::max(x.low, y.low / bandwidth), end = std::min(ridge, x.high);
  content += svg_line(x.at(start), y.at(start * bandwidth), x.at(end), y.at(end * bandwidth), "roof");
  content += svg_text(x.at(start * 1.6), y.at(start * 1.2 * bandwidth) + 4, "value",
                      "memory " + engineering(bandwidth, "B/s"));
  for (const Point& p : points) {
    content +=
        fmt::format("<circle class=\"{} {}\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"5\"><title>{}</title></circle>",
                    p.measured ? "solid" : "hollow", p.prefill ? "prefill" : "decode", x.at(p.intensity),
                    y.at(p.rate), escape_html(p.title));
  }
  return svg(width, height, "roofline", content);
}

}  // namespace inferometer
