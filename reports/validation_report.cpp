#include "reports/validation_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <span>

namespace inferometer {
namespace {

struct Line {
  std::string file, op, variant, regime;
  Accuracy accuracy;
  bool intervals = false;
};

/// Calls of one dtype in one file.
struct Judged {
  std::vector<ValidatedCall> calls;
  bool intervals = false;
};

/// Errors of one operator's calls in one file: each dtype by regime and together, and all dtypes together.
void add_lines(std::vector<Line>& lines, const std::string& file, const std::string& op,
               const std::map<std::string, Judged>& by_variant) {
  std::vector<Scored> every;
  bool intervals = true;
  for (const auto& [variant, judged] : by_variant) {
    std::map<Regime, std::vector<Scored>> by_regime;
    std::vector<Scored> all;
    for (const ValidatedCall& call : judged.calls) {
      by_regime[call.regime].push_back(call.scored);
      all.push_back(call.scored);
    }
    for (const auto& [regime, scored] : by_regime)
      lines.push_back({file, op, variant, std::string{name(regime)}, accuracy_of(scored), judged.intervals});
    lines.push_back({file, op, variant, "all", accuracy_of(all), judged.intervals});
    intervals = intervals && judged.intervals;
    every.insert(every.end(), all.begin(), all.end());
  }
  if (by_variant.size() > 1) lines.push_back({file, op, "all", "all", accuracy_of(every), intervals});
}

std::vector<Line> lines_of(const ValidationReport& report) {
  std::map<std::pair<std::string, std::string>, std::map<std::string, Judged>> files;
  for (const Validation& v : report.validations) {
    for (const ValidatedCall& call : v.calls) {
      Judged& judged = files[{report.rows[call.sample].file, v.op}][v.variant];
      judged.calls.push_back(call);
      judged.intervals = v.intervals;
    }
  }
  std::vector<Line> lines;
  for (const auto& [key, by_variant] : files) add_lines(lines, key.first, key.second, by_variant);
  return lines;
}

constexpr std::size_t shown_worst = 10;

std::vector<ValidatedCall> worst_of(const Validation& v) {
  std::vector<ValidatedCall> calls = v.calls;
  const std::size_t n = std::min(shown_worst, calls.size());
  std::partial_sort(calls.begin(), calls.begin() + static_cast<std::ptrdiff_t>(n), calls.end(),
                    [](const ValidatedCall& a, const ValidatedCall& b) {
                      const double x = std::abs(a.scored.error()), y = std::abs(b.scored.error());
                      return x != y ? x > y : a.sample < b.sample;
                    });
  calls.resize(n);
  return calls;
}

/// The parameters of what was fitted, also where every row of it was.
std::span<const KernelParameter> parameters_of_fit(const ValidationReport& report, const Validation& v) {
  for (const auto& row : report.rows) {
    const KernelCall& call = row.measurement.call;
    if (operator_of(call) == v.op && variant_of(call) == v.variant) return parameters_of(call);
  }
  return {};
}

/// What rows were judged by, where it was not a part of them.
std::string judged_by(const ValidationReport& report) {
  if (!report.fitted_on.empty()) return fmt::format(", fitted to {}", fmt::join(report.fitted_on, " and "));
  return report.calibration.empty() ? "" : ", by " + report.calibration;
}

/// Of a variant's calls whose times are rounded: those that rounding alone moves by 5 % or more, and the
/// accuracy of the others.
struct Rounding {
  std::size_t rounded = 0, coarse = 0;
  Accuracy others;
};
Rounding rounding_of(const Validation& v) {
  Rounding r;
  std::vector<Scored> others;
  for (const ValidatedCall& call : v.calls) {
    r.rounded += call.scored.resolution > 0 ? 1 : 0;
    if (is_coarse(call.scored))
      ++r.coarse;
    else
      others.push_back(call.scored);
  }
  r.others = accuracy_of(others);
  return r;
}

}  // namespace

std::string validation_table(const ValidationReport& report) {
  std::string out = fmt::format(
      "kernel models against measurements, {}, level {}{}\n{:<20} {:<21} {:<14} {:>6} {:>8} {:>8} {:>8} "
      "{:>8} "
      "{:>8}\n"
      "{:<20} {:<21} {:<14} {:>6} {:>8} {:>8} {:>8} {:>8} {:>8}\n",
      report.device, name(report.options.level), judged_by(report), "operator", "dtype", "regime", "n",
      "median", "mean", "p90", "bias", "in 90 %", "", "", "", "", "%", "%", "%", "%", "%");
  for (const Line& l : lines_of(report)) {
    const Accuracy& a = l.accuracy;
    out += fmt::format("{:<20} {:<21} {:<14} {:>6} {:>8.1f} {:>8.1f} {:>8.1f} {:>+8.1f} {:>8}\n", l.op,
                       l.variant, l.regime, a.n, a.median_ape, a.mape, a.p90_ape, a.bias,
                       l.intervals ? fmt::format("{:.0f}", a.coverage) : "-");
  }
  for (const auto& [op, variant] : report.not_predicted)
    out += fmt::format("{:<20} {:<21} not predicted: no fitted device has it\n", op, variant);
  for (const Validation& v : report.validations) {
    out += fmt::format("\n{} {}: fitted to {} calls, residual layer {}\n", v.op, v.variant, v.fitted,
                       report.options.level != Level::residual_corrected ? "not used"
                       : v.residual                                      ? "on"
                                    : "off: it does not help unseen shapes");
    if (v.calls.empty()) out += "  nothing is left to judge: all of its calls were fitted\n";
    if (const Rounding r = rounding_of(v); r.coarse > 0)
      out += fmt::format(
          "  rounded so that {} of {} calls may be 5 % off by that alone; the others: mean {:.1f} %, p90 "
          "{:.1f} %, bias {:+.1f} %\n",
          r.coarse, v.calls.size(), r.others.mape, r.others.p90_ape, r.others.bias);
    const auto parameters = parameters_of_fit(report, v);
    for (std::size_t i = 0; i < v.values.size(); ++i)
      out += fmt::format("  {:<20} {:>10.4g} {}\n", parameters[i].name, v.values[i], parameters[i].unit);
    out += "  worst:\n";
    for (const ValidatedCall& c : worst_of(v)) {
      const auto& row = report.rows[c.sample];
      out += fmt::format("  {:<40} measured {:>10.1f} us, predicted {:>10.1f} us, {:>+6.0f} %  (line {})\n",
                         label_of(row.measurement.call), c.scored.measured, c.scored.predicted,
                         100 * c.scored.error(), row.measurement.line);
    }
  }
  return out;
}

std::string validation_json(const ValidationReport& report) {
  using nlohmann::ordered_json;
  ordered_json out{{"schema_version", 1}, {"device", report.device}, {"level", name(report.options.level)}};
  if (!report.fitted_on.empty()) {
    out["fitted_on"] = report.fitted_on;
    out["seed"] = report.options.seed;
    out["not_predicted"] = ordered_json::array();
    for (const auto& [op, variant] : report.not_predicted)
      out["not_predicted"].push_back({{"operator", op}, {"dtype", variant}});
  } else if (report.calibration.empty()) {
    out["fit_on"] = report.options.fit_on;
    out["split"] = name(report.options.split);
    out["seed"] = report.options.seed;
  } else {
    out["calibration"] = report.calibration;
  }
  for (const char* list : {"rows", "worst", "fitted"}) out[list] = ordered_json::array();
  for (const Line& l : lines_of(report)) {
    const Accuracy& a = l.accuracy;
    out["rows"].push_back({{"file", l.file},
                           {"operator", l.op},
                           {"dtype", l.variant},
                           {"regime", l.regime},
                           {"n", a.n},
                           {"median_ape", a.median_ape},
                           {"mape", a.mape},
                           {"p90_ape", a.p90_ape},
                           {"bias", a.bias},
                           {"coverage", l.intervals ? ordered_json(a.coverage) : ordered_json()}});
  }
  for (const Validation& v : report.validations) {
    for (const ValidatedCall& c : worst_of(v)) {
      const auto& row = report.rows[c.sample];
      out["worst"].push_back({{"file", row.file},
                              {"line", row.measurement.line},
                              {"operator", v.op},
                              {"dtype", v.variant},
                              {"call", label_of(row.measurement.call)},
                              {"measured_us", c.scored.measured},
                              {"predicted_us", c.scored.predicted},
                              {"ape", 100 * std::abs(c.scored.error())}});
    }
    ordered_json values;
    const auto parameters = parameters_of_fit(report, v);
    for (std::size_t i = 0; i < v.values.size(); ++i)
      values[std::string{parameters[i].name}] = {{"value", v.values[i]}, {"unit", parameters[i].unit}};
    const Rounding rounding = rounding_of(v);
    out["fitted"].push_back({{"operator", v.op},
                             {"dtype", v.variant},
                             {"calls", v.fitted},
                             {"rounded", rounding.rounded},
                             {"rounded_by_5_percent", rounding.coarse},
                             {"mape_of_others", rounding.others.mape},
                             {"residual_layer", v.residual},
                             {"parameters", std::move(values)}});
  }
  return out.dump(2) + "\n";
}

Errors unmet(const ValidationReport& report, const std::vector<AccuracyLimit>& limits) {
  Errors errors;
  const std::vector<Line> lines = lines_of(report);
  for (const AccuracyLimit& limit : limits) {
    if (limit.device != report.device || limit.level != report.options.level) continue;
    const auto exceeds = [&](std::string_view what, double figure, double highest) {
      if (figure <= highest) return;
      errors.push_back({fmt::format("{} {}, {}: {} {:.2f}, at most {:.2f} is required", limit.op, limit.dtype,
                                    name(limit.level), what, figure, highest),
                        limit.where});
    };
    for (const Line& l : lines) {
      if (l.op != limit.op || l.variant != limit.dtype || l.regime != "all") continue;
      exceeds("mean absolute error in %", l.accuracy.mape, limit.mape);
      if (limit.bias) exceeds("bias in %", std::abs(l.accuracy.bias), *limit.bias);
      if (limit.p90_over_mape)
        exceeds("90th percentile over mean", l.accuracy.p90_ape / l.accuracy.mape, *limit.p90_over_mape);
    }
  }
  return errors;
}

}  // namespace inferometer
