#include <fmt/format.h>

#include <algorithm>

#include "reports/conditions.hpp"
#include "reports/energy_tables.hpp"
#include "reports/explanation.hpp"
#include "reports/reports.hpp"
#include "reports/tracing.hpp"
#include "roofline/roofline.hpp"
#include "roofline/work.hpp"

namespace inferometer {
namespace {

double seconds(Nanoseconds t) { return std::chrono::duration<double>(t).count(); }

/// What the operators of one row must move at least, and the least that the device's peaks allow them.
struct Least {
  Bytes bytes{0};
  Seconds time{0};
};
Least least_of(const VariantResult& v, const PhaseResult& phase, const std::string& row) {
  Least least;
  const Device& device = v.settings.cluster.device;
  for (std::size_t i = 0; i < v.structure.nodes.size(); ++i) {
    if (row_of(v.structure, i, phase.run) != row) continue;
    const Work work = work_of(bind(v.structure.nodes[i], v.structure, phase.features));
    least.bytes += work.compulsory();
    least.time +=
        std::max(work.compulsory() / device.memory_bandwidth.value, work.flops / peak_of(work, device));
  }
  return least;
}

std::string measured_columns(const RoleTime& r, const Least& least) {
  const double time = r.measured ? seconds(*r.measured) : 0;
  if (time <= 0) return fmt::format("{:>9} {:>8} {:>8} {:>8}", "-", "-", "-", "-");
  return fmt::format("{:>9.3f} {:>8.3f} {:>8.1f} {:>7.0f}%", time * 1e3,
                     static_cast<double>(least.bytes.value) / time * 1e-12,
                     static_cast<double>(r.flops.value) / time * 1e-12, 100 * least.time.count() / time);
}

/// Sum of one counter over the spans of a row, -1 where no span has it.
double counted(const VariantResult& v, const PhaseResult& phase, const std::string& row,
               const char* counter) {
  double sum = -1;
  for (const Span& s : phase.profile->spans) {
    if (s.nodes.empty() || row_of(v.structure, static_cast<std::size_t>(s.nodes[0]), phase.run) != row)
      continue;
    if (const auto it = s.counters.find(counter); it != s.counters.end())
      sum = std::max(sum, 0.0) + it->second;
  }
  return sum;
}

std::string phase_table(const VariantResult& v, const PhaseResult& phase) {
  const StepExplanation step = explain(v.structure, phase);
  std::size_t width = 16;
  for (const RoleTime& r : step.roles) width = std::max(width, r.role.size());
  std::string text = fmt::format(
      "\n{}, {}: {} tokens, {} sequences\n{:<{}} {:>5} {:>9} {:>9} {:>8} {:>8} {:>8} {:>11} {:>11}\n"
      "{:<{}} {:>5} {:>9} {:>9} {:>8} {:>8} {:>8} {:>11} {:>11}\n",
      v.name, phase.name, phase.features.tokens, phase.features.sequences, "", width, "", "predicted",
      "measured", "achieved", "achieved", "of", "compulsory", "measured", "operator", width, "calls", "ms",
      "ms", "TB/s", "TFLOP/s", "roofline", "MB", "DRAM MB");
  for (const RoleTime& r : step.roles) {
    const bool between = r.role == StepExplanation::between;
    const Least least = between ? Least{} : least_of(v, phase, r.role);
    text += fmt::format("{:<{}} {:>5} {:>9.3f} ", r.role, width, r.count, seconds(r.predicted) * 1e3);
    if (between) {
      text +=
          r.measured ? fmt::format("{:>9.3f}\n", seconds(*r.measured) * 1e3) : fmt::format("{:>9}\n", "-");
      continue;
    }
    const double dram = phase.profile ? counted(v, phase, r.role, "dram_bytes") : -1;
    text += fmt::format("{} {:>11.2f} {:>11}\n", measured_columns(r, least),
                        static_cast<double>(least.bytes.value) * 1e-6,
                        dram < 0 ? "-" : fmt::format("{:.2f}", dram * 1e-6));
  }
  if (const auto tracing = tracing_of(v, phase)) text += tracing_text(*tracing, *phase.measured);
  return text + conditions_line(phase) + energy_line(v, phase);
}

}  // namespace

std::string profile_table(const StudyResult& study) {
  std::string text = fmt::format("{}: {} on {}, {} prediction, backend {}\n", study.scenario.name,
                                 study.scenario.baseline.model().name, study.provenance.device,
                                 name(study.provenance.level), study.provenance.backend);
  bool energy = false;
  for (const VariantResult& v : study.variants) {
    for (const PhaseResult& phase : v.phases) {
      text += phase_table(v, phase);
      energy = energy || step_energy(phase);
    }
    if (!v.not_measured.empty()) text += fmt::format("{}: not measured: {}\n", v.name, v.not_measured);
  }
  if (energy) text += fmt::format("\n{}\n", energy_note);
  for (const std::string& note : cost_notes(study)) text += note + "\n";
  return text + (study.provenance.more.contains("counters")
                     ? "counters: " + study.provenance.more.at("counters") + "\n"
                     : "");
}

}  // namespace inferometer
