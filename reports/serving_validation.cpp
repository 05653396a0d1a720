#include "reports/serving_validation.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

namespace inferometer {
namespace {

double error(Seconds predicted, double measured_ms) {
  return 100 * (predicted.count() * 1e3 / measured_ms - 1);
}

const ServedTimes& times_at(const JudgedPoint& p, ServingLevel level) {
  return level == ServingLevel::generic ? p.generic : p.profiled;
}
double ttft_error(const JudgedPoint& p, ServingLevel level) {
  return error(times_at(p, level).ttft, p.point.ttft_ms);
}
double tpot_error(const JudgedPoint& p, ServingLevel level) {
  return error(times_at(p, level).tpot, p.point.tpot_ms);
}
bool counts(const JudgedPoint& p, ServingLevel level) {
  return p.not_predicted.empty() && p.not_scored.empty() && (level == ServingLevel::generic || !p.fitted);
}

/// Errors in percent.
struct Summary {
  std::size_t n = 0;
  double ttft_mape = 0, ttft_bias = 0, tpot_mape = 0, tpot_bias = 0;
};

template <class Wanted>
Summary summary_of(const JudgedPoints& judged, ServingLevel level, const Wanted& wanted) {
  Summary s;
  for (const JudgedPoint& p : judged.points) {
    if (!counts(p, level) || !wanted(p)) continue;
    ++s.n;
    s.ttft_mape += std::abs(ttft_error(p, level));
    s.ttft_bias += ttft_error(p, level);
    s.tpot_mape += std::abs(tpot_error(p, level));
    s.tpot_bias += tpot_error(p, level);
  }
  for (double* sum : {&s.ttft_mape, &s.ttft_bias, &s.tpot_mape, &s.tpot_bias})
    *sum /= static_cast<double>(std::max<std::size_t>(1, s.n));
  return s;
}

std::string band_of(const ServingPoint& p) {
  for (const std::int64_t most : {4, 16, 64}) {
    if (p.concurrency <= most) return fmt::format("up to {:>3} clients", most);
  }
  return "above 64 clients";
}

struct SummaryRow {
  ServingLevel level;
  std::string by, name;
  Summary summary;
};

std::vector<SummaryRow> summaries(const JudgedPoints& judged) {
  using Key = std::string (*)(const ServingPoint&);
  const std::pair<std::string, Key> keys[] = {{"all", [](const ServingPoint&) { return std::string{"all"}; }},
                                              {"engine", [](const ServingPoint& p) { return p.backend; }},
                                              {"device", [](const ServingPoint& p) { return p.system; }},
                                              {"model", [](const ServingPoint& p) { return p.model; }},
                                              {"load", &band_of},
                                              {"lengths", [](const ServingPoint& p) {
                                                 return p.prompt_tokens > 2 * p.output_tokens
                                                            ? std::string{"long prompts"}
                                                        : p.output_tokens > 2 * p.prompt_tokens
                                                            ? std::string{"long outputs"}
                                                            : std::string{"like lengths"};
                                               }}};
  std::vector<SummaryRow> rows;
  for (const ServingLevel level : {ServingLevel::generic, ServingLevel::profiled}) {
    for (const auto& [by, key] : keys) {
      std::map<std::string, Summary> names;
      for (const JudgedPoint& p : judged.points) {
        if (counts(p, level)) names[key(p.point)];
      }
      for (const auto& [name, empty] : names) {
        rows.push_back({level, by, name, summary_of(judged, level, [&](const JudgedPoint& p) {
                          return key(p.point) == name;
                        })});
      }
    }
  }
  return rows;
}

std::string label_of(const ServingPoint& p) {
  return fmt::format("line {}: {}, {} clients", p.line, configuration_name(p), p.concurrency);
}

std::string worst_rows(const JudgedPoints& judged, ServingLevel level, std::size_t most) {
  std::vector<const JudgedPoint*> worst;
  for (const JudgedPoint& p : judged.points) {
    if (counts(p, level)) worst.push_back(&p);
  }
  std::stable_sort(worst.begin(), worst.end(), [&](const JudgedPoint* a, const JudgedPoint* b) {
    return std::abs(tpot_error(*a, level)) > std::abs(tpot_error(*b, level));
  });
  worst.resize(std::min(most, worst.size()));
  std::string text = fmt::format("\nworst times per token, {}\n", name(level));
  for (const JudgedPoint* p : worst)
    text += fmt::format("  {:<100} tpot {:>8.2f} ms {:>+7.1f} %   ttft {:>8.0f} ms {:>+7.1f} %\n",
                        label_of(p->point), p->point.tpot_ms, tpot_error(*p, level), p->point.ttft_ms,
                        ttft_error(*p, level));
  return text;
}

std::string left_out(const JudgedPoints& judged) {
  std::map<std::string, std::vector<std::string>> not_predicted, not_scored;
  for (const JudgedPoint& p : judged.points) {
    const std::string line = std::to_string(p.point.line);
    if (!p.not_predicted.empty()) {
      not_predicted[p.point.model + ": " + p.not_predicted].push_back(line);
    } else if (!p.not_scored.empty()) {
      not_scored[p.point.model + ": " + p.not_scored].push_back(line);
    }
  }
  std::string text;
  for (const auto& [title, reasons] :
       {std::pair{"not predicted", &not_predicted}, std::pair{"predicted, not scored", &not_scored}}) {
    if (!reasons->empty()) text += fmt::format("\n{}\n", title);
    for (const auto& [why, lines] : *reasons)
      text += fmt::format("  {} rows, {}\n    lines {}\n", lines.size(), why, fmt::join(lines, " "));
  }
  return text;
}

std::string replay_text(const Replay& r) {
  std::string text = fmt::format(
      "\nreplay of one run: {}, {} requests, kernels as profiled on that device, nothing fitted\n"
      "  KV blocks from its memory {}, the engine's {} ({:+.1f} %)\n  {:<6} {:<5} {:>12} {:>12} {:>8}\n",
      r.engine, r.requests, r.blocks_computed, r.blocks_of_engine,
      100 * (static_cast<double>(r.blocks_computed) / static_cast<double>(r.blocks_of_engine) - 1), "", "",
      "predicted ms", "engine ms", "error %");
  for (const Replay::Figure& f : r.figures)
    text += fmt::format("  {:<6} {:<5} {:>12.2f} {:>12.2f} {:>+8.2f}\n", f.latency, f.statistic,
                        f.predicted_ms, f.engine_ms, f.error_percent());
  return text;
}

}  // namespace

std::string serving_table(const ServingValidation& validation) {
  const JudgedPoints& judged = validation.judged;
  std::string text = fmt::format(
      "{}, {} rows\ngeneric: nothing fitted. profiled: constants of each engine, fitted on {:.0f} % of its "
      "configurations (seed {}), judged on the others\n\n{:<9} {:<8} {:<34} {:>5} {:>11} {:>11} {:>11} "
      "{:>11}\n",
      validation.file, judged.points.size(), 100 * validation.options.fit_on, validation.options.seed,
      "level", "by", "name", "n", "TPOT MAPE %", "TPOT bias %", "TTFT MAPE %", "TTFT bias %");
  for (const SummaryRow& r : summaries(judged))
    text += fmt::format("{:<9} {:<8} {:<34} {:>5} {:>11.1f} {:>+11.1f} {:>11.1f} {:>+11.1f}\n", name(r.level),
                        r.by, r.name, r.summary.n, r.summary.tpot_mape, r.summary.tpot_bias,
                        r.summary.ttft_mape, r.summary.ttft_bias);
  for (const auto& [engine, profile] : judged.profiles) {
    text += fmt::format("\nprofile of {}\n", engine);
    for (const ProfileConstant& c : profile_constants)
      text += fmt::format("  {:<14} {:>9.3f} {:<3} {}\n", c.name, c.get(profile), c.unit, c.meaning);
  }
  constexpr std::size_t most = 10;
  text += worst_rows(judged, ServingLevel::generic, most) + worst_rows(judged, ServingLevel::profiled, most);
  text += left_out(judged);
  return validation.replay ? text + replay_text(*validation.replay) : text;
}

std::string serving_json(const ServingValidation& validation) {
  using nlohmann::ordered_json;
  const JudgedPoints& judged = validation.judged;
  ordered_json out{{"schema_version", 1},
                   {"file", validation.file},
                   {"fit_on", validation.options.fit_on},
                   {"seed", validation.options.seed}};
  out["rows"] = ordered_json::array();
  for (const SummaryRow& r : summaries(judged))
    out["rows"].push_back({{"level", name(r.level)},
                           {"by", r.by},
                           {"name", r.name},
                           {"n", r.summary.n},
                           {"tpot_mape", r.summary.tpot_mape},
                           {"tpot_bias", r.summary.tpot_bias},
                           {"ttft_mape", r.summary.ttft_mape},
                           {"ttft_bias", r.summary.ttft_bias}});
  out["profiles"] = ordered_json::array();
  for (const auto& [engine, profile] : judged.profiles) {
    ordered_json constants = ordered_json::array();
    for (const ProfileConstant& c : profile_constants)
      constants.push_back(
          {{"name", c.name}, {"value", c.get(profile)}, {"unit", c.unit}, {"meaning", c.meaning}});
    out["profiles"].push_back({{"engine", engine}, {"constants", std::move(constants)}});
  }
  out["replay"] = nullptr;
  if (const auto& r = validation.replay) {
    ordered_json latencies = ordered_json::array();
    for (const Replay::Figure& f : r->figures)
      latencies.push_back({{"latency", f.latency},
                           {"statistic", f.statistic},
                           {"predicted_ms", f.predicted_ms},
                           {"engine_ms", f.engine_ms},
                           {"error_percent", f.error_percent()}});
    out["replay"] = {{"engine", r->engine},
                     {"requests", r->requests},
                     {"kv_blocks", {{"computed", r->blocks_computed}, {"engine", r->blocks_of_engine}}},
                     {"latencies", std::move(latencies)}};
  }
  out["points"] = ordered_json::array();
  for (const JudgedPoint& p : judged.points) {
    ordered_json point{{"line", p.point.line},
                       {"configuration", configuration_name(p.point)},
                       {"concurrency", p.point.concurrency},
                       {"ttft_ms", p.point.ttft_ms},
                       {"tpot_ms", p.point.tpot_ms},
                       {"not_predicted", p.not_predicted},
                       {"not_scored", p.not_scored},
                       {"fitted", p.fitted}};
    if (p.not_predicted.empty()) {
      for (const ServingLevel level : {ServingLevel::generic, ServingLevel::profiled})
        point[std::string{name(level)}] = {{"ttft_ms", times_at(p, level).ttft.count() * 1e3},
                                           {"tpot_ms", times_at(p, level).tpot.count() * 1e3}};
    }
    out["points"].push_back(std::move(point));
  }
  return out.dump(2) + "\n";
}

Errors unmet(const ServingValidation& validation, const std::vector<ServingLimit>& limits) {
  Errors errors;
  for (const ServingLimit& limit : limits) {
    const Summary s = summary_of(validation.judged, limit.level, [](const JudgedPoint&) { return true; });
    const auto check = [&](std::string_view what, double value, double most) {
      if (value > most)
        errors.push_back({fmt::format("{} {}: mean absolute error in % {:.2f}, at most {:.2f} is required",
                                      name(limit.level), what, value, most),
                          limit.where});
    };
    if (static_cast<std::int64_t>(s.n) < limit.scored)
      errors.push_back({fmt::format("{}: {} points are scored, at least {} are required", name(limit.level),
                                    s.n, limit.scored),
                        limit.where});
    check("TPOT", s.tpot_mape, limit.tpot_mape);
    check("TTFT", s.ttft_mape, limit.ttft_mape);
  }
  return errors;
}

}  // namespace inferometer
