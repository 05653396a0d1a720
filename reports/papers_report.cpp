#include "reports/papers_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

namespace inferometer {
namespace {

/// Errors of the rows that are scored, in percent.
struct Summary {
  std::size_t n = 0;
  double mape = 0, bias = 0;
};

Summary summary_of(const Paper& paper) {
  Summary s;
  for (const PaperRow& row : paper.rows) {
    if (!row.scored) continue;
    ++s.n;
    s.mape += 100 * std::abs(row.error());
    s.bias += 100 * row.error();
  }
  s.mape /= static_cast<double>(std::max<std::size_t>(1, s.n));
  s.bias /= static_cast<double>(std::max<std::size_t>(1, s.n));
  return s;
}

std::string published_text(const Published& p) {
  return p.low == p.high ? fmt::format("{:.5g}", p.low) : fmt::format("{:.4g} to {:.4g}", p.low, p.high);
}

std::string summary_line(const Paper& paper) {
  const Summary s = summary_of(paper);
  if (s.n == 0) return "no row is scored";
  return fmt::format("{} rows scored: mean absolute error {:.1f} %, bias {:+.1f} %", s.n, s.mape, s.bias);
}

std::string one_table(const Paper& paper) {
  std::string out = fmt::format("{}, {}\n  source: {}\n  settings: {}\n", paper.name, paper.device,
                                paper.source, paper.settings);
  for (const std::string& line : paper.fitted) out += "  fitted: " + line + "\n";
  out +=
      fmt::format("  {:<52} {:>8} {:>16} {:>10} {:>8}\n", "row", "unit", "published", "predicted", "error %");
  for (const PaperRow& row : paper.rows) {
    const std::string why = row.note.empty() ? "" : "  " + row.note;
    out += fmt::format("  {:<52} {:>8} {:>16} {:>10.4g} {:>+8.1f}{}{}\n", row.label, row.unit,
                       published_text(row.published), row.predicted, 100 * row.error(),
                       row.scored ? "" : "  not scored:", why);
  }
  return out + "  " + summary_line(paper) + "\n\n";
}

}  // namespace

std::string papers_table(const std::vector<Paper>& papers) {
  std::string out;
  for (const Paper& paper : papers) out += one_table(paper);
  for (const Paper& paper : papers) out += fmt::format("{:<28} {}\n", paper.name, summary_line(paper));
  return out;
}

std::string papers_json(const std::vector<Paper>& papers) {
  using nlohmann::ordered_json;
  ordered_json out{{"schema_version", 1}, {"papers", ordered_json::array()}};
  for (const Paper& paper : papers) {
    ordered_json rows = ordered_json::array();
    for (const PaperRow& row : paper.rows)
      rows.push_back({{"label", row.label},
                      {"unit", row.unit},
                      {"published", {row.published.low, row.published.high}},
                      {"predicted", row.predicted},
                      {"error_percent", 100 * row.error()},
                      {"scored", row.scored},
                      {"note", row.note}});
    const Summary s = summary_of(paper);
    out["papers"].push_back({{"name", paper.name},
                             {"source", paper.source},
                             {"settings", paper.settings},
                             {"device", paper.device},
                             {"fitted", paper.fitted},
                             {"rows", std::move(rows)},
                             {"n", s.n},
                             {"mape", s.n > 0 ? ordered_json(s.mape) : ordered_json()},
                             {"bias", s.n > 0 ? ordered_json(s.bias) : ordered_json()}});
  }
  return out.dump(2) + "\n";
}

Errors unmet(const std::vector<Paper>& papers, const std::vector<PaperLimit>& limits) {
  Errors errors;
  for (const PaperLimit& limit : limits) {
    for (const Paper& paper : papers) {
      const Summary s = summary_of(paper);
      if (paper.name == limit.paper && s.mape > limit.mape)
        errors.push_back({fmt::format("{}: mean absolute error in % {:.2f}, at most {:.2f} is required",
                                      paper.name, s.mape, limit.mape),
                          limit.where});
    }
  }
  return errors;
}

}  // namespace inferometer
