#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "model/quantile.hpp"
#include "reports/chart_axes.hpp"
#include "reports/charts.hpp"
#include "reports/svg.hpp"

namespace inferometer {
namespace {

using namespace chart;

std::string legend(std::size_t line, const std::string& colour, bool dashed, std::string_view text) {
  const double y = top + 12 + 18 * static_cast<double>(line);
  return polyline({{width - right + 12, y - 4}, {width - right + 36, y - 4}}, colour, dashed, text) +
         svg_text(width - right + 42, y, "value", text);
}

struct Curve {
  std::string name;
  std::size_t variant;
  bool executed;
  std::vector<double> values;  // sorted
};

std::vector<Curve> curves(const StudyResult& study, std::vector<double> RequestLatencies::*latency) {
  std::vector<Curve> all;
  for (std::size_t v = 0; v < study.variants.size(); ++v) {
    const auto& serving = study.variants[v].serving;
    if (!serving) continue;
    const auto add = [&](const Served& served, bool executed) {
      std::vector<double> values = latencies_of(served.run, *serving->traffic).*latency;
      if (latency != &RequestLatencies::tpot) {
        for (double& seconds : values) seconds += serving->traffic->client_delay.count();
      }
      std::sort(values.begin(), values.end());
      if (!values.empty())
        all.push_back(
            {study.variants[v].name + (executed ? ", executed" : ""), v, executed, std::move(values)});
    };
    add(serving->predicted, false);
    if (serving->executed) add(*serving->executed, true);
  }
  return all;
}

std::string cdf(const StudyResult& study, std::vector<double> RequestLatencies::*latency,
                const std::optional<Seconds>& limit, std::string_view label) {
  const std::vector<Curve> all = curves(study, latency);
  if (all.empty()) return "";
  double least = 1e300, most = 0;
  for (const Curve& c : all) {
    least = std::min(least, std::max(1e-6, c.values[c.values.size() / 200]));
    most = std::max(most, c.values.back());
  }
  const LogAxis axis{least, std::max(most, 1.01 * least)};
  const auto y = [](double part) { return top + (height - top - bottom) * (1 - part); };
  std::string content = axis.lines_across();
  for (const double part : {0.0, 0.5, 0.9, 0.99}) {
    content += svg_line(left, y(part), left + inner, y(part), "grid");
    content += svg_text(left - 6, y(part) + 4, "tick end", fmt::format("{:g} %", 100 * part));
  }
  for (std::size_t i = 0; i < all.size(); ++i) {
    std::vector<std::pair<double, double>> points;
    for (int p = 0; p <= 200; ++p)
      points.push_back({axis.across(quantile_of_sorted(all[i].values, p / 200.0)), y(p / 200.0)});
    content += polyline(points, hue(all[i].variant), all[i].executed, all[i].name);
    content += legend(i, hue(all[i].variant), all[i].executed, all[i].name);
  }
  if (limit && limit->count() > least && limit->count() < most) {
    content +=
        svg_line(axis.across(limit->count()), top, axis.across(limit->count()), height - bottom, "roof");
    content += svg_text(axis.across(limit->count()) + 4, top + 10, "tick", "SLO");
  }
  return svg(width, std::max(height, top + 18.0 * static_cast<double>(all.size()) + 24), label, content);
}

}  // namespace

std::string ttft_cdf(const StudyResult& study) {
  return cdf(study, &RequestLatencies::ttft, study.scenario.level.ttft,
             "distribution of time to first token");
}
std::string tpot_cdf(const StudyResult& study) {
  return cdf(study, &RequestLatencies::tpot, study.scenario.level.tpot,
             "distribution of time per output token");
}
std::string e2el_cdf(const StudyResult& study) {
  return cdf(study, &RequestLatencies::e2el, study.scenario.level.e2el, "distribution of end-to-end latency");
}

std::string load_chart(const VariantResult& v) {
  const LoadTimeline& load = v.serving->predicted.run.load;
  if (load.samples().empty()) return "";
  struct Lane {
    std::string name;
    std::size_t hue;
    std::vector<double> values;
    double most = 0;
  };
  std::array<Lane, 3> lanes{Lane{"running", 0, {}}, Lane{"waiting", 1, {}}, Lane{"KV blocks", 2, {}}};
  for (const LoadTimeline::Sample& s : load.samples()) {
    const LoadTimeline::Sample mean = s.mean();
    const std::array values{mean.running, mean.waiting, mean.kv_used};
    for (std::size_t l = 0; l < lanes.size(); ++l) {
      lanes[l].values.push_back(values[l]);
      lanes[l].most = std::max(lanes[l].most, lanes[l].values.back());
    }
  }
  const double end =
      std::chrono::duration<double>(load.interval()).count() * static_cast<double>(load.samples().size());
  std::string content;
  const double step = round_step(end);
  for (int i = 0; i * step <= end; ++i) {
    const double x = left + inner * i * step / end;
    content += svg_line(x, top, x, height - bottom, "grid");
    content += svg_text(x, height - bottom + 16, "tick middle", seconds_text(i * step));
  }
  for (std::size_t l = 0; l < lanes.size(); ++l) {
    std::vector<std::pair<double, double>> points;
    const auto n = static_cast<double>(lanes[l].values.size());
    for (std::size_t i = 0; i < lanes[l].values.size(); ++i)
      points.push_back(
          {left + inner * (static_cast<double>(i) + 0.5) / n,
           top + (height - top - bottom) * (1 - lanes[l].values[i] / std::max(1e-12, lanes[l].most))});
    const double most = lanes[l].most;
    const std::string text = lanes[l].name + ", at most " +
                             (most < 1000 ? fmt::format("{:.4g}", most) : fmt::format("{:.0f}", most));
    content += polyline(points, hue(lanes[l].hue), false, text);
    content += legend(l, hue(lanes[l].hue), false, text);
  }
  return svg(width, height, v.name + ": load over time", content);
}

std::string step_scatter(const VariantResult& v) {
  const std::vector<ServingResult::StepPair>& steps = v.serving->steps;
  if (steps.empty()) return "";
  const auto seconds = [](Nanoseconds t) { return std::max(1e-9, std::chrono::duration<double>(t).count()); };
  double least = 1e300, most = 0;
  for (const auto& s : steps) {
    least = std::min({least, seconds(s.predicted), seconds(s.executed)});
    most = std::max({most, seconds(s.predicted), seconds(s.executed)});
  }
  const LogAxis axis{least, std::max(most, 1.01 * least)};
  std::string content = axis.lines_across() + axis.lines_up();
  content += svg_line(left, axis.up(least), left + inner, axis.up(axis.most), "grid");
  constexpr std::size_t most_drawn = 2000;
  const std::size_t stride = (steps.size() + most_drawn - 1) / most_drawn;
  for (std::size_t i = 0; i < steps.size(); i += stride) {
    const bool prompts = steps[i].totals.attended.prompts.count > 0;
    content += fmt::format("<circle class=\"{} solid\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"2\"/>",
                           prompts ? "prefill" : "decode", axis.across(seconds(steps[i].executed)),
                           axis.up(seconds(steps[i].predicted)));
  }
  content += svg_text(width - right + 12, top + 12, "value", "across: executed, up: predicted");
  if (stride > 1)
    content += svg_text(width - right + 12, top + 30, "tick", fmt::format("one step in {} drawn", stride));
  return svg(width, height, v.name + ": predicted against executed time of steps", content);
}

std::string slo_chart(const VariantResult& v) {
  const ServingResult& s = *v.serving;
  if (!s.predicted.metrics.slo_attainment) return "";
  struct Point {
    double ttft, tpot;
    bool good;
  };
  std::vector<Point> points;  // requests with both, in order
  for (std::size_t i = 0; i < s.predicted.run.requests.size(); ++i) {
    const RequestRecord& r = s.predicted.run.requests[i];
    if (!r.completed()) continue;
    const RequestTimes times = times_of(r, s.traffic->requests[i]);
    if (!times.tpot) continue;
    points.push_back({(times.ttft + s.traffic->client_delay).count(), times.tpot->count(),
                      is_good(times, s.traffic->client_delay, s.level)});
  }
  if (points.empty()) return "";
  double first = 1e300, last = 0, least = 1e300, most = 0;
  for (const Point& p : points) {
    first = std::min(first, p.ttft), last = std::max(last, p.ttft);
    least = std::min(least, p.tpot), most = std::max(most, p.tpot);
  }
  const double limit_x = s.level.ttft.value_or(Seconds{last}).count(),
               limit_y = s.level.tpot.value_or(Seconds{most}).count();
  const LogAxis ttft{std::max(1e-6, std::min(first, limit_x / 2)), 1.1 * std::max(last, limit_x)};
  const LogAxis tpot{std::max(1e-6, std::min(least, limit_y / 2)), 1.1 * std::max(most, limit_y)};
  std::string content = ttft.lines_across() + tpot.lines_up();
  constexpr std::size_t most_drawn = 1500;
  const std::size_t stride = (points.size() + most_drawn - 1) / most_drawn;
  for (std::size_t i = 0; i < points.size(); i += stride) {
    content += fmt::format("<circle class=\"{} solid\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"2\"/>",
                           points[i].good ? "decode" : "prefill", ttft.across(points[i].ttft),
                           tpot.up(points[i].tpot));
  }
  if (s.level.ttft)
    content += svg_line(ttft.across(limit_x), top, ttft.across(limit_x), height - bottom, "roof");
  if (s.level.tpot) content += svg_line(left, tpot.up(limit_y), left + inner, tpot.up(limit_y), "roof");
  content +=
      svg_text(width - right + 12, top + 12, "value",
               fmt::format("{:.1f} % within the SLO", 100 * s.predicted.metrics.slo_attainment.value_or(0)));
  if (stride > 1)
    content += svg_text(width - right + 12, top + 30, "tick", fmt::format("one request in {} drawn", stride));
  return svg(width, height, v.name + ": time to first token against time per output token", content);
}

}  // namespace inferometer
