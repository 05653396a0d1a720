#include "reports/energy_tables.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "reports/conditions.hpp"
#include "reports/serving_tables.hpp"
#include "roofline/energy.hpp"

namespace inferometer {
namespace {

constexpr const char* none = "-";

template <class Number>
std::string text(const std::optional<Number>& number, double unit = 1) {
  if (!number) return none;
  const double value = number->value / unit;
  return value < 100 ? fmt::format("{:.3g}", value) : fmt::format("{:.0f}", value);
}

std::string also(std::string reasons, const std::string& reason) {
  if (reason.empty()) return reasons;
  return reasons.empty() ? reason : reasons + "; " + reason;
}

}  // namespace

PhaseCost cost_of(const VariantResult& v, const PhaseResult& phase) {
  const Device& device = v.settings.cluster.device;
  const auto devices = static_cast<double>(v.settings.plan.parallel.devices());
  const auto tokens = static_cast<double>(phase.tokens());
  PhaseCost cost{.not_known = why_no_energy(v.settings)};
  if (phase.energy) {
    cost.step = phase.energy;
    cost.token = Joules{phase.energy->value / tokens};
    cost.power = *phase.energy / (devices * phase.predicted);
  }
  if (!device.price) {
    cost.not_known = also(cost.not_known, device.name + " has no price");
    return cost;
  }
  const auto of_million = [&](Seconds step) { return device.price->value * (devices * 1e6 / tokens * step); };
  cost.per_million_tokens = of_million(phase.predicted);
  if (phase.measured) cost.measured_per_million_tokens = of_million(phase.measured->median);
  return cost;
}

std::optional<Table> energy_table(const StudyResult& study) {
  Table t{
      "Power of a device, energy and cost of a step and of its tokens; measured " + std::string{energy_note},
      {{"variant", false},
       {"phase", false},
       {"W predicted"},
       {"measured"},
       {"J/step predicted"},
       {"measured"},
       {"error"},
       {"J/token predicted"},
       {"measured"},
       {"$/million tokens"},
       {"by measured time"}},
      {}};
  for (const VariantResult& v : study.variants) {
    for (const PhaseResult& phase : v.phases) {
      const PhaseCost cost = cost_of(v, phase);
      if (!cost.step && !cost.per_million_tokens) continue;
      const std::optional<StepEnergy> measured = step_energy(phase);
      const auto joules = [&](double StepEnergy::*of) {
        return measured ? std::optional{Joules{(*measured).*of}} : std::nullopt;
      };
      t.rows.push_back(
          {{v.name, phase.name, text(cost.power),
            text(phase.conditions ? phase.conditions->mean_power : std::nullopt), text(cost.step),
            text(joules(&StepEnergy::step)),
            measured && cost.step ? fmt::format("{:+.1f} %", 100 * (cost.step->value / measured->step - 1))
                                  : none,
            text(cost.token), text(joules(&StepEnergy::token)), text(cost.per_million_tokens),
            text(cost.measured_per_million_tokens)},
           false});
    }
  }
  return t.rows.empty() ? std::nullopt : std::optional{std::move(t)};
}

std::string energy_line(const VariantResult& v, const PhaseResult& phase) {
  const PhaseCost cost = cost_of(v, phase);
  std::string line;
  if (cost.step)
    line =
        fmt::format("power {} W, {} J/step, {} J/token", text(cost.power), text(cost.step), text(cost.token));
  if (cost.per_million_tokens)
    line += fmt::format("{}{} $/million tokens", line.empty() ? "" : ", ", text(cost.per_million_tokens));
  return line.empty() ? "" : "predicted: " + line + "\n";
}

Table serving_costs(const StudyResult& study) {
  Table t{"Energy and cost, idle devices included, from the first arrival to the last token",
          {{"variant", false},
           {"", false},
           {"devices"},
           {"energy [kJ]"},
           {"J/output token"},
           {"power [W/device]"},
           {"$/million output tokens"},
           {"$/million tokens"}},
          {}};
  const auto add = [&](const VariantResult& v, std::string_view by, const ServingCost& c) {
    if (!c.energy && !c.per_million_output_tokens) return;
    t.rows.push_back({{v.name, std::string{by}, std::to_string(c.devices), text(c.energy, 1e3),
                       text(c.energy_per_output_token), text(c.mean_power), text(c.per_million_output_tokens),
                       text(c.per_million_total_tokens)},
                      false});
  };
  for (const VariantResult& v : study.variants) {
    if (!v.serving) continue;
    add(v, "predicted", v.serving->predicted.metrics.cost);
    if (v.serving->executed) add(v, executed_by(*v.serving), v.serving->executed->metrics.cost);
  }
  return t;
}

std::vector<std::string> cost_notes(const StudyResult& study) {
  std::vector<std::string> notes;
  const auto add = [&](const std::string& reason) {
    if (reason.empty()) return;
    std::string note = "energy and cost: not known: " + reason;
    if (std::find(notes.begin(), notes.end(), note) == notes.end()) notes.push_back(std::move(note));
  };
  for (const VariantResult& v : study.variants) {
    for (const PhaseResult& phase : v.phases) add(cost_of(v, phase).not_known);
    if (!v.serving) continue;
    add(v.serving->predicted.metrics.cost.not_known);
    if (v.serving->executed) add(v.serving->executed->metrics.cost.not_known);
  }
  return notes;
}

}  // namespace inferometer
