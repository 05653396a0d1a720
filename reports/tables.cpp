#include "reports/tables.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "model/settings.hpp"
#include "reports/conditions.hpp"

namespace inferometer {
namespace {

double ms(Nanoseconds t) { return std::chrono::duration<double, std::milli>(t).count(); }
std::string ms_text(Nanoseconds t) { return fmt::format("{:.3f}", ms(t)); }
std::string ms_text(std::optional<Nanoseconds> t) { return t ? ms_text(*t) : "–"; }
std::string change_text(Nanoseconds t) {
  return std::abs(t.count()) < 500 ? "0" : fmt::format("{:+.3f}", ms(t));
}
std::string times_text(std::optional<double> r) { return r ? fmt::format("{:.2f}×", *r) : "–"; }
std::string mib(Bytes b) { return fmt::format("{:.1f}", static_cast<double>(b.value) / (1 << 20)); }

const Effect* find(const Quality& quality, const std::string& variant, const std::string& phase) {
  const auto found = std::find_if(quality.effects.begin(), quality.effects.end(),
                                  [&](const Effect& e) { return e.variant == variant && e.phase == phase; });
  return found == quality.effects.end() ? nullptr : &*found;
}

}  // namespace

std::string verdict(const Quality& q) {
  if (!q.median_error) return "Predicted only: nothing was executed, so nothing here is confirmed.";
  const std::string disturbed =
      q.disturbed == 0
          ? ""
          : fmt::format(
                " {} of the measurements were disturbed (the slowest tenth took over 1.5 times the "
                "median): something else used the machine.",
                q.disturbed);
  return fmt::format(
      "Over {} step times the median |predicted/measured − 1| is {:.1f} % (90th percentile {:.1f} %). Of {} "
      "measured effects beyond 10 %, {} were predicted in the same direction.{}",
      q.steps.size(), 100 * *q.median_error, 100 * *q.p90_error, q.effects_that_count, q.same_direction,
      disturbed);
}

Table results(const StudyResult& study, const Quality& quality) {
  Table t{"Time of one step (measured: median) and tokens per second relative to the baseline",
          {{"variant", false},
           {"phase", false},
           {"predicted [ms]"},
           {"measured [ms]"},
           {"10 – 90 % [ms]"},
           {"error"},
           {"effect predicted"},
           {"effect measured"}},
          {}};
  for (const VariantResult& v : study.variants) {
    for (const PhaseResult& p : v.phases) {
      const double predicted = p.predicted.count() * 1e3;
      const Effect* e = find(quality, v.name, p.name);
      t.rows.push_back(
          {{v.name, p.name, fmt::format("{:.3f}", predicted),
            p.measured ? fmt::format("{}{}", ms_text(p.measured->median), throttled_mark(p)) : "–",
            p.measured ? ms_text(p.measured->p10) + " – " + ms_text(p.measured->p90) : "–",
            p.measured ? fmt::format("{:+.1f} %", 100 * (predicted / ms(p.measured->median) - 1)) : "–",
            e ? times_text(e->predicted) : "1.00×",
            e            ? times_text(e->measured)
            : p.measured ? "1.00×"
                         : "–"},
           false});
    }
  }
  return t;
}

Table step_table(const VariantResult& v, const PhaseResult& phase) {
  Table t{fmt::format("{}, {}: where the time of a step goes [ms]; the six columns sum to the measured time",
                      v.name, phase.name),
          {{"operator", false},
           {"nodes"},
           {"bound", false},
           {"GFLOP"},
           {"MB moved"},
           {"predicted"},
           {"measured"}},
          {}};
  for (const ExplanationPart& part : explanation_parts) t.columns.push_back({std::string{part.name}});
  const StepExplanation step = explain(v.structure, phase);
  const auto add = [&](const RoleTime& r, bool strong) {
    Table::Row row{{r.role, std::to_string(r.count), r.count > 0 ? std::string{name(r.bound)} : "",
                    fmt::format("{:.3f}", static_cast<double>(r.flops.value) * 1e-9),
                    fmt::format("{:.2f}", static_cast<double>(r.bytes.value) * 1e-6), ms_text(r.predicted),
                    ms_text(r.measured)},
                   strong};
    for (const ExplanationPart& part : explanation_parts)
      row.cells.push_back(change_text(r.explanation.*part.value));
    t.rows.push_back(std::move(row));
  };
  for (const RoleTime& r : step.roles) add(r, false);
  add(step.total, true);
  return t;
}

Table difference_table(const VariantResult& baseline, const VariantResult& v, std::size_t phase) {
  const PhaseResult& p = v.phases[phase];
  Table t{fmt::format("{}, {}: change of a step's time against the baseline [ms]", v.name, p.name),
          {{"operator", false}, {"predicted change"}, {"measured change"}},
          {}};
  for (const ExplanationPart& part : explanation_parts) t.columns.push_back({std::string{part.name}});
  const StepDifference d =
      subtract(explain(v.structure, p), explain(baseline.structure, baseline.phases[phase]));
  const auto add = [&](const Difference& r, bool strong) {
    Table::Row row{{r.role, change_text(r.predicted), r.measured ? change_text(*r.measured) : "–"}, strong};
    for (const ExplanationPart& part : explanation_parts)
      row.cells.push_back(change_text(r.explanation.*part.value));
    t.rows.push_back(std::move(row));
  };
  for (const Difference& r : d.roles) add(r, false);
  add(d.total, true);
  return t;
}

Table memory_table(const StudyResult& study) {
  Table t{"Memory per device [MiB]",
          {{"variant", false},
           {"weights"},
           {"KV cache"},
           {"activations"},
           {"workspace"},
           {"predicted"},
           {"used"},
           {"capacity"},
           {"fits", false}},
          {}};
  for (const VariantResult& v : study.variants) {
    const MemoryUse& m = v.memory;
    t.rows.push_back(
        {{v.name, mib(m.weights), mib(m.kv), mib(m.activations), mib(m.workspace), mib(m.total()),
          v.memory_used ? mib(v.memory_used->total()) : "–", mib(m.capacity), m.fits() ? "yes" : "no"},
         false});
  }
  return t;
}

Table changed_settings(const StudyResult& study) {
  Table t{"Settings that a variant changes",
          {{"variant", false},
           {"optimizations", false},
           {"setting", false},
           {"baseline", false},
           {"variant", false}},
          {}};
  const std::vector<Setting> base = settings(study.variants.front().settings);
  for (std::size_t i = 1; i < study.variants.size(); ++i) {
    const VariantResult& v = study.variants[i];
    std::string names;
    for (const std::string& o : v.optimizations) names += (names.empty() ? "" : ", ") + o;
    const std::vector<Setting> own = settings(v.settings);
    for (std::size_t s = 0; s < own.size(); ++s) {
      if (own[s].value != base[s].value)
        t.rows.push_back({{v.name, names, own[s].path, base[s].value, own[s].value}, false});
    }
  }
  return t;
}

Table provenance_table(const StudyResult& study) {
  const Provenance& p = study.provenance;
  Table t{"How this was made", {{"", false}, {"", false}}, {}};
  const auto add = [&](const char* key, const std::string& value) {
    t.rows.push_back({{key, value}, false});
  };
  add("scenario", study.scenario.file.filename().string());
  add("model", study.scenario.baseline.model().name);
  add("inferometer", p.version + ", revision " + p.revision);
  add("machine", p.machine);
  add("operating system", p.operating_system);
  add("compiler", p.compiler);
  add("date", p.date);
  add("backend", p.backend);
  add("device", p.device);
  add("prediction level", std::string{name(p.level)});
  add("calibration", p.calibration);
  add("tuning", p.tuning);
  for (const Parameter& c : study.scenario.calibration.parameters)
    t.rows.push_back({{c.name, fmt::format("{:.4g} {}", c.value, c.unit)}, false});
  for (const auto& [key, value] : p.more) t.rows.push_back({{key, value}, false});
  return t;
}

}  // namespace inferometer
