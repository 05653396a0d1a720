#include "reports/capacity_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "reports/mean_interval.hpp"
#include "reports/serving_tables.hpp"

namespace inferometer {
namespace {

using Json = nlohmann::ordered_json;
using Kind = LoadEdge::Kind;

std::int64_t count(const VariantCapacity& v, Kind kind) {
  return std::count_if(v.draws.begin(), v.draws.end(),
                       [&](const DrawCapacity& d) { return d.edge.kind == kind; });
}
/// Whether there is a rate: 0 is one, a level that is met at every load has none.
bool has_rate(const VariantCapacity& v) { return !v.draws.empty() && count(v, Kind::always_met) == 0; }

/// Over the draws.
template <class Of>
MeanInterval over(const VariantCapacity& v, Of of) {
  std::vector<double> values;
  for (const DrawCapacity& d : v.draws) values.push_back(of(d));
  return mean_interval(values);
}
MeanInterval rate_of(const VariantCapacity& v) {
  return over(v, [](const DrawCapacity& d) { return d.rate(); });
}
/// Draws are the same for both: what makes one draw hard is not in the difference.
MeanInterval difference(const VariantCapacity& v, const VariantCapacity& baseline) {
  std::vector<double> values;
  for (std::size_t d = 0; d < v.draws.size(); ++d)
    values.push_back(v.draws[d].rate() - baseline.draws[d].rate());
  return mean_interval(values);
}
MeanInterval served_of(const VariantCapacity& v) {
  return over(v, [](const DrawCapacity& d) { return d.edge.met.request_throughput; });
}
MeanInterval tokens_of(const VariantCapacity& v) {
  return over(v, [](const DrawCapacity& d) { return d.edge.met.output_throughput; });
}
struct Limit {
  const char* title;
  double SloMisses::*part;
};
constexpr std::array limits{Limit{"TTFT", &SloMisses::ttft}, Limit{"TPOT", &SloMisses::tpot},
                            Limit{"E2EL", &SloMisses::e2el}, Limit{"rejected", &SloMisses::rejected}};
double missed(const VariantCapacity& v, const Limit& limit) {
  return over(v, [&](const DrawCapacity& d) { return d.edge.missed.missed.*limit.part; }).mean;
}

std::string half_width(const MeanInterval& m) {
  return std::isnan(m.half) ? "-" : fmt::format("{:.3f}", m.half);
}

std::vector<std::string> notes(const CapacityStudy& study) {
  std::vector<std::string> all;
  if (!study.why_one.empty()) all.push_back("one draw, no interval: " + study.why_one);
  for (const VariantCapacity& v : study.variants) {
    const auto n = v.draws.size();
    if (!v.not_served.empty()) all.push_back(v.name + ": not served: " + v.not_served);
    if (const auto always = count(v, Kind::always_met); always > 0)
      all.push_back(fmt::format(
          "{}: not reached: in {} of {} draws the level is met even with all requests at once; more requests "
          "are needed",
          v.name, always, n));
    if (const auto never = count(v, Kind::never_met); never > 0)
      all.push_back(fmt::format("{}: in {} of {} draws the level is missed even at a request an hour", v.name,
                                never, n));
    const auto unordered = std::count_if(v.draws.begin(), v.draws.end(),
                                         [](const DrawCapacity& d) { return d.edge.out_of_order > 0; });
    if (unordered > 0)
      all.push_back(fmt::format(
          "{}: in {} of {} draws some rate within {:.2g} % of the edge is met above or missed below "
          "it; the edge is one of several there",
          v.name, unordered, n, 500 * study.options.tolerance));
  }
  return all;
}

Json interval_json(const MeanInterval& m) {
  return {{"mean", m.mean}, {"half_width_95", std::isnan(m.half) ? Json(nullptr) : Json(m.half)}};
}

Json draw_json(const DrawCapacity& d) {
  const LoadEdge& e = d.edge;
  Json json{{"seed", d.seed},
            {"kind", e.kind == Kind::edge         ? "edge"
                     : e.kind == Kind::always_met ? "always met"
                                                  : "never met"},
            {"runs", e.runs}};
  if (e.kind != Kind::always_met) {
    json["rate_requests_per_s"] = d.rate();
    json["beyond_requests_per_s"] = d.offered * e.beyond;
    json["beyond"] = metrics_json(e.missed);
    json["out_of_order"] = e.out_of_order;
  }
  if (e.kind != Kind::never_met) json["met"] = metrics_json(e.met);
  return json;
}

Json variant_json(const VariantCapacity& v, const VariantCapacity& baseline) {
  Json json{{"name", v.name},
            {"not_served", v.not_served.empty() ? Json(nullptr) : Json(v.not_served)},
            {"rate_requests_per_s", has_rate(v) ? interval_json(rate_of(v)) : Json(nullptr)},
            {"served_requests_per_s", has_rate(v) ? interval_json(served_of(v)) : Json(nullptr)},
            {"output_tokens_per_s", has_rate(v) ? interval_json(tokens_of(v)) : Json(nullptr)}};
  const bool compares = &v != &baseline && has_rate(v) && has_rate(baseline);
  json["over_baseline_requests_per_s"] = compares ? interval_json(difference(v, baseline)) : Json(nullptr);
  json["draws"] = Json::array();
  for (const DrawCapacity& d : v.draws) json["draws"].push_back(draw_json(d));
  return json;
}

}  // namespace

std::string capacity_table(const CapacityStudy& study) {
  const Scenario& s = study.scenario;
  const VariantCapacity& baseline = study.variants.front();
  Table t{.caption =
              fmt::format("Highest rate of arrivals at which the service level is met ({}), to {:g} %; +-: "
                          "95 % interval of {} draws",
                          level_text(s.level), 100 * study.options.tolerance,
                          study.why_one.empty() ? study.options.seeds : 1),
          .columns = {{"variant", false},
                      {"requests/s"},
                      {"+-"},
                      {s.sweep.empty() ? "to baseline" : "to the first"},
                      {"+-"},
                      {"served/s"},
                      {"output tokens/s"}},
          .rows = {}};
  for (const Limit& limit : limits)
    t.columns.push_back({std::string{&limit == limits.begin() ? "beyond it, % missed: " : ""} + limit.title});
  for (const VariantCapacity& v : study.variants) {
    Table::Row row{.cells = {v.name}};
    row.cells.resize(t.columns.size(), "-");
    if (!has_rate(v)) {
      row.cells[1] = v.draws.empty() ? "not served" : "not reached";
    } else {
      const MeanInterval rate = rate_of(v);
      row.cells[1] = fmt::format("{:.3f}", rate.mean);
      row.cells[2] = half_width(rate);
      if (&v != &baseline && has_rate(baseline)) {
        const MeanInterval more = difference(v, baseline);
        row.cells[3] = fmt::format("{:+.3f}", more.mean);
        row.cells[4] = half_width(more);
      }
      row.cells[5] = fmt::format("{:.3f}", served_of(v).mean);
      row.cells[6] = fmt::format("{:.1f}", tokens_of(v).mean);
      for (std::size_t i = 0; i < limits.size(); ++i)
        row.cells[7 + i] = fmt::format("{:.1f}", 100 * missed(v, limits[i]));
    }
    t.rows.push_back(std::move(row));
  }
  std::string text =
      fmt::format("{}: {} on {}, {} prediction\n{}\n\n", s.name, s.baseline.model().name,
                  s.baseline.cluster.device.name, name(s.calibration.level), s.traffic->source);
  text += text_of(t);
  for (const std::string& note : notes(study)) text += note + "\n";
  return text;
}

std::string capacity_json(const CapacityStudy& study) {
  const Scenario& s = study.scenario;
  Json json{{"schema_version", 1},
            {"scenario", {{"name", s.name}, {"file", s.file.filename().string()}}},
            {"model", s.baseline.model().name},
            {"device", s.baseline.cluster.device.name},
            {"traffic", s.traffic->source},
            {"slo", level_json(s.level)},
            {"tolerance", study.options.tolerance},
            {"program", study.provenance.version + ", revision " + study.provenance.revision},
            {"level", name(s.calibration.level)},
            {"calibration", s.calibration.source},
            {"notes", notes(study)},
            {"variants", Json::array()}};
  for (const VariantCapacity& v : study.variants)
    json["variants"].push_back(variant_json(v, study.variants.front()));
  return json.dump(2) + "\n";
}

}  // namespace inferometer
