#include <fmt/format.h>

#include <algorithm>

#include "reports/beside.hpp"
#include "reports/conditions.hpp"
#include "reports/energy_tables.hpp"
#include "reports/pool_tables.hpp"
#include "reports/reports.hpp"
#include "reports/serving_tables.hpp"
#include "reports/statistics.hpp"

namespace inferometer {
namespace {

double ms(Seconds t) { return t.count() * 1e3; }
double ms(Nanoseconds t) { return std::chrono::duration<double, std::milli>(t).count(); }

const Effect* find(const Quality& quality, const std::string& variant, const std::string& phase) {
  const auto found = std::find_if(quality.effects.begin(), quality.effects.end(),
                                  [&](const Effect& e) { return e.variant == variant && e.phase == phase; });
  return found == quality.effects.end() ? nullptr : &*found;
}

std::string times(std::optional<double> ratio) { return ratio ? fmt::format("{:.2f}x", *ratio) : "-"; }

std::string row(const VariantResult& v, const PhaseResult& p, const Effect* effect, std::size_t width) {
  std::string text = fmt::format("{:<{}}  {:<8} {:>9.3f} ms ", v.name, width, p.name, ms(p.predicted));
  if (p.measured) {
    const double measured = ms(p.measured->median);
    text += fmt::format("{:>9.3f} ms{:1}{:>+7.1f} %", measured, throttled_mark(p),
                        100 * (ms(p.predicted) / measured - 1));
  } else {
    text += fmt::format("{:>12} {:>9}", "-", "-");
  }
  const std::string predicted = effect ? times(effect->predicted) : "1.00x";
  const std::string measured = effect ? times(effect->measured) : p.measured ? "1.00x" : "-";
  return text + fmt::format(" {:>10} {:>9}\n", predicted, measured);
}

std::string serving_text(const StudyResult& study) {
  const Case& base = study.scenario.baseline;
  std::string text =
      fmt::format("{}: {} on {}, {} prediction\n{}\n\n", study.scenario.name, base.model().name,
                  base.cluster.device.name, name(study.provenance.level), study.scenario.traffic->source);
  text += text_of(serving_latencies(study)) + "\n" + text_of(serving_capacity(study));
  for (const Table& table :
       {serving_costs(study), pool_table(study), transfer_table(study), serving_errors(study)})
    if (!table.rows.empty()) text += "\n" + text_of(table);
  for (const std::string& note : serving_notes(study)) text += "\n" + note + "\n";
  for (const std::string& note : cost_notes(study)) text += "\n" + note + "\n";
  return text;
}

}  // namespace

std::string results_table(const StudyResult& study) {
  if (study.scenario.traffic) return serving_text(study);
  const Quality quality = quality_of(study);
  std::size_t width = 7;
  for (const VariantResult& v : study.variants) width = std::max(width, v.name.size());
  const Case& base = study.scenario.baseline;
  std::string text = fmt::format("{}: {} on {}, {} prediction\n\n", study.scenario.name, base.model().name,
                                 base.cluster.device.name, name(study.provenance.level));
  text += fmt::format("{:<{}}  {:<8} {:>12} {:>12} {:>9} {:>20}\n", "", width, "", "step time", "step time",
                      "", "tokens/s, to baseline");
  text += fmt::format("{:<{}}  {:<8} {:>12} {:>12} {:>9} {:>10} {:>9}\n", "variant", width, "phase",
                      "predicted", "measured", "error", "predicted", "measured");
  for (const VariantResult& v : study.variants) {
    for (const PhaseResult& p : v.phases) text += row(v, p, find(quality, v.name, p.name), width);
  }
  text += '\n';
  if (const std::string note = throttled_note(study); !note.empty()) text += note + "\n";
  text += beside_text(study);
  if (const auto energy = energy_table(study)) text += text_of(*energy) + "\n";
  for (const std::string& note : cost_notes(study)) text += note + "\n";
  for (const VariantResult& v : study.variants) {
    if (!v.memory.fits())
      text += fmt::format("{}: does not fit: {:.2f} of {:.2f} GiB\n", v.name,
                          static_cast<double>(v.memory.total().value) / (1 << 30),
                          static_cast<double>(v.memory.capacity.value) / (1 << 30));
    const bool same = &v != &study.variants.front() && v.not_measured == study.variants.front().not_measured;
    if (!v.not_measured.empty() && !same)
      text += fmt::format("{}: not measured: {}\n", v.name, v.not_measured);
  }
  if (quality.median_error) {
    text += fmt::format(
        "median |predicted/measured - 1| of {} step times: {:.1f} % (p90 {:.1f} %)\n"
        "effects beyond 10 %: {} of {} predicted in the measured direction\n",
        quality.steps.size(), 100 * *quality.median_error, 100 * *quality.p90_error, quality.same_direction,
        quality.effects_that_count);
  }
  if (quality.disturbed > 0) {
    text += fmt::format(
        "{} of the {} measurements were disturbed (the slowest tenth took over 1.5 times the median): "
        "something "
        "else used this machine\n",
        quality.disturbed, quality.steps.size());
  }
  return text;
}

}  // namespace inferometer
