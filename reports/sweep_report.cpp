#include "reports/sweep_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "reports/html_page.hpp"
#include "reports/point_metrics.hpp"
#include "reports/serving_tables.hpp"
#include "reports/svg.hpp"
#include "scenarios/files.hpp"

namespace inferometer {
namespace {

using Json = nlohmann::ordered_json;

std::size_t index_of(std::string_view column) {
  const auto all = point_metrics();
  const auto is = [&](const PointMetric& m) { return m.column == column; };
  return static_cast<std::size_t>(std::find_if(all.begin(), all.end(), is) - all.begin());
}

/// Columns that any point has a number for.
std::vector<std::size_t> used(const SweepStudy& study) {
  std::vector<std::size_t> columns;
  for (std::size_t m = 0; m < point_metrics().size(); ++m) {
    if (std::any_of(study.points.begin(), study.points.end(),
                    [&](const StoredPoint& p) { return p.metrics[m].has_value(); }))
      columns.push_back(m);
  }
  return columns;
}

/// The point with the largest number of a column; none where no point has one.
const StoredPoint* best(const SweepStudy& study, std::string_view column) {
  const std::size_t m = index_of(column);
  const StoredPoint* found = nullptr;
  for (const StoredPoint& p : study.points) {
    if (p.metrics[m] && (found == nullptr || *p.metrics[m] > *found->metrics[m])) found = &p;
  }
  return found;
}

struct Best {
  explicit Best(const SweepStudy& study)
      : throughput(best(study, throughput_column)), goodput(best(study, goodput_column)) {}
  const StoredPoint *throughput, *goodput;

  std::string marks(const StoredPoint& point) const {
    std::string text = throughput == &point ? "best throughput" : "";
    if (goodput == &point) text += text.empty() ? "best goodput" : ", goodput";
    return text;
  }
};

std::string cell(const std::optional<double>& value) {
  if (!value) return "-";
  return fmt::format("{:.{}f}", *value, std::fabs(*value) < 100 ? 2 : 1);
}

std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\n\r") == std::string::npos) return text;
  std::string out = "\"";
  for (const char c : text) out += c == '"' ? std::string{"\"\""} : std::string(1, c);
  return out + "\"";
}

std::string counts(const SweepStudy& study) {
  const auto failed = std::count_if(study.points.begin(), study.points.end(),
                                    [](const StoredPoint& p) { return !p.failed.empty(); });
  std::string text = fmt::format("{} points: {} run, {} read from {}", study.points.size(), study.ran,
                                 study.points.size() - study.ran, study.store.string());
  if (failed > 0) text += fmt::format("; {} cannot be run", failed);
  return text;
}

std::string sweep_verdict(const SweepStudy& study) {
  std::string text;
  for (const auto& [column, what] :
       {std::pair{throughput_column, "Most output tokens a second"}, {goodput_column, "Most goodput"}}) {
    const StoredPoint* point = best(study, column);
    if (point == nullptr) continue;
    const auto index = static_cast<std::size_t>(point - study.points.data());
    const std::vector<std::string> axes = axes_of(study.scenario), values = values_at(study.scenario, index);
    text += fmt::format("{}, as predicted: {}", what, cell(point->metrics[index_of(column)]));
    for (std::size_t a = 0; a < axes.size(); ++a) text += fmt::format(", {} {}", axes[a], values[a]);
    text += ". ";
  }
  return text.empty() ? "No point could be run." : text;
}

}  // namespace

Table sweep_points(const SweepStudy& study) {
  const std::vector<std::string> axes = axes_of(study.scenario);
  Table t{.caption = "Predicted, each point alone", .columns = {}, .rows = {}};
  for (const std::string& axis : axes) t.columns.push_back({axis, false});
  std::vector<std::size_t> shown;
  for (const std::size_t m : used(study)) {
    if (point_metrics()[m].title.empty()) continue;
    shown.push_back(m);
    t.columns.push_back({std::string{point_metrics()[m].title}});
  }
  t.columns.push_back({"", false});
  const Best top(study);
  for (std::size_t p = 0; p < study.points.size(); ++p) {
    const StoredPoint& point = study.points[p];
    const std::string mark = top.marks(point);
    Table::Row row{.cells = values_at(study.scenario, p), .strong = !mark.empty()};
    for (const std::size_t m : shown) row.cells.push_back(cell(point.metrics[m]));
    row.cells.push_back(point.failed.empty() ? mark : point.failed);
    t.rows.push_back(std::move(row));
  }
  return t;
}

std::string sweep_chart(const SweepStudy& study) {
  const std::vector<std::string> axes = axes_of(study.scenario);
  const bool good = best(study, goodput_column) != nullptr;
  const StoredPoint* top = best(study, good ? goodput_column : throughput_column);
  if (axes.size() > 2 || top == nullptr) return "";
  constexpr double width = 1000, left = 70, right = 250, upper = 16, height = 260, bottom = 36;
  const std::size_t metric = index_of(good ? goodput_column : throughput_column);
  const std::size_t columns = study.scenario.sweep.back().values.size();
  const double most = std::max(*top->metrics[metric], 1e-300);
  const auto x = [&](std::size_t c) {
    return left + (width - left - right) * (static_cast<double>(c) + 0.5) / static_cast<double>(columns);
  };
  const auto y = [&](double value) { return height - bottom - (height - bottom - upper) * value / most; };
  std::string content;
  for (const double part : {0.0, 0.25, 0.5, 0.75, 1.0}) {
    content += svg_line(left, y(part * most), width - right, y(part * most), "grid");
    content += svg_text(left - 6, y(part * most) + 4, "tick end", fmt::format("{:.3g}", part * most));
  }
  for (std::size_t c = 0; c < columns; ++c)
    content += svg_text(x(c), height - bottom + 16, "tick middle", study.scenario.sweep.back().values[c]);
  content += svg_text(left, height - 4, "tick", axes.back());
  for (std::size_t curve = 0; curve * columns < study.points.size(); ++curve) {
    std::vector<std::pair<double, double>> line;
    for (std::size_t c = 0; c < columns; ++c) {
      const auto& value = study.points[curve * columns + c].metrics[metric];
      if (!value) continue;
      line.push_back({x(c), y(*value)});
      content += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3.5\" fill=\"{}\"/>", x(c), y(*value),
                             hue(curve));
    }
    const std::string name =
        axes.size() == 1 ? "" : axes[0] + " " + values_at(study.scenario, curve * columns)[0];
    content += polyline(line, hue(curve), false, name);
    const double at = upper + 12 + 18 * static_cast<double>(curve);
    if (name.empty()) continue;
    content +=
        polyline({{width - right + 12, at - 4}, {width - right + 36, at - 4}}, hue(curve), false, name);
    content += svg_text(width - right + 42, at, "value", name);
  }
  const double legend = upper + 18.0 * static_cast<double>(study.points.size() / columns) + 24;
  return svg(width, std::max(height, legend), good ? "goodput of the points" : "throughput of the points",
             content);
}

std::string sweep_table(const SweepStudy& study) {
  const Scenario& s = study.scenario;
  const std::vector<std::string> axes = axes_of(s);
  const bool one_device = std::find(axes.begin(), axes.end(), "device") == axes.end();
  return fmt::format("{}: {}{}, {} prediction\n\n", s.name, s.baseline.model().name,
                     one_device ? " on " + s.baseline.cluster.device.name : "",
                     name(study.provenance.level)) +
         text_of(sweep_points(study)) + "\n" + counts(study) + "\n";
}

std::string sweep_csv(const SweepStudy& study) {
  std::string text;
  const std::vector<std::size_t> columns = used(study);
  for (const std::string& axis : axes_of(study.scenario)) text += csv_field(axis) + ",";
  for (const std::size_t m : columns) text += std::string{point_metrics()[m].column} + ",";
  text += "failed\n";
  for (std::size_t p = 0; p < study.points.size(); ++p) {
    for (const std::string& value : values_at(study.scenario, p)) text += csv_field(value) + ",";
    for (const std::size_t m : columns) {
      const auto& value = study.points[p].metrics[m];
      text += (value ? fmt::format("{:.9g}", *value) : "") + ",";
    }
    text += csv_field(study.points[p].failed) + "\n";
  }
  return text;
}

std::string sweep_json(const SweepStudy& study) {
  const Scenario& s = study.scenario;
  const std::vector<std::string> axes = axes_of(s);
  const std::vector<std::size_t> columns = used(study);
  const Best top(study);
  Json points = Json::array();
  for (std::size_t p = 0; p < study.points.size(); ++p) {
    const StoredPoint& point = study.points[p];
    Json one{{"settings", Json::object()}, {"key", point.key}};
    const std::vector<std::string> values = values_at(s, p);
    for (std::size_t a = 0; a < axes.size(); ++a) one["settings"][axes[a]] = values[a];
    one["failed"] = point.failed.empty() ? Json(nullptr) : Json(point.failed);
    for (const std::size_t m : columns) {
      const auto& value = point.metrics[m];
      one[std::string{point_metrics()[m].column}] = value ? Json(*value) : Json(nullptr);
    }
    one["best_throughput"] = top.throughput == &point;
    one["best_goodput"] = top.goodput == &point;
    points.push_back(std::move(one));
  }
  const Provenance& made = study.provenance;
  return Json{{"schema_version", 1},
              {"scenario",
               {{"name", s.name}, {"description", s.description}, {"file", s.file.filename().string()}}},
              {"model", s.baseline.model().name},
              {"program", made.version + ", revision " + made.revision},
              {"level", name(made.level)},
              {"calibration", made.calibration},
              {"traffic", s.traffic ? Json(s.traffic->source) : Json(nullptr)},
              {"axes", axes},
              {"store", study.store.string()},
              {"points_run", study.ran},
              {"points", std::move(points)}}
             .dump(2) +
         "\n";
}

std::string sweep_html(const SweepStudy& study) {
  std::string body = "<p class=\"verdict\">" + escape_html(sweep_verdict(study)) + "</p>\n";
  if (study.scenario.traffic)
    body += "<p class=\"soft\">" + escape_html(study.scenario.traffic->source) + "</p>\n";
  if (const std::string chart = sweep_chart(study); !chart.empty())
    body += figure(chart, best(study, goodput_column) != nullptr
                              ? "goodput: requests a second within the service level"
                              : "output tokens a second");
  body += "<h2>Points</h2>\n" + html(sweep_points(study)) + "<p class=\"soft\">" +
          escape_html(counts(study)) + "</p>\n";
  body += html(provenance_table({.scenario = study.scenario, .provenance = study.provenance}));
  return html_page(study.scenario.name, study.scenario.description, body);
}

Result<std::vector<std::filesystem::path>> write_sweep(const SweepStudy& study,
                                                       const std::filesystem::path& folder) {
  return write_files({
      {folder / "report.html", sweep_html(study)},
      {folder / "points.csv", sweep_csv(study)},
      {folder / "results.json", sweep_json(study)},
  });
}

}  // namespace inferometer
