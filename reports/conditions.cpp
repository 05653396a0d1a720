#include "reports/conditions.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace inferometer {
namespace {

/// What a quantity is with so many decimals, in units of `unit`.
template <class Value>
std::string text(const std::optional<Value>& quantity, double unit = 1, int decimals = 0) {
  return quantity ? fmt::format("{:.{}f}", quantity->value / unit, decimals) : "–";
}
std::string joules(double energy) {
  return energy < 100 ? fmt::format("{:.3g}", energy) : fmt::format("{:.0f}", energy);
}
constexpr double mega = 1e6;

/// Of the multiprocessors; nothing where no limit of power is known, or no top clock.
std::optional<Hertz> predicted_clock(const PhaseResult& phase) {
  const std::optional<double> part = phase.prediction.clock;
  const std::optional<Hertz> top = phase.conditions->top_sm_clock;
  if (!part || !top) return std::nullopt;
  return Hertz{*part * top->value};
}

std::string throttling(const RunConditions& c) {
  if (!c.throttles) return "–";
  if (c.throttles->empty()) return "no";
  return fmt::format("{} ({} of {} samples)", text_of(*c.throttles), c.throttled_samples, c.samples);
}

}  // namespace

std::optional<StepEnergy> step_energy(const PhaseResult& phase) {
  if (!phase.conditions || !phase.conditions->energy || !phase.measured) return std::nullopt;
  const double step = phase.conditions->energy->value / static_cast<double>(phase.measured->n);
  return StepEnergy{step, step / static_cast<double>(phase.features.tokens)};
}

std::string conditions_line(const PhaseResult& phase) {
  if (!phase.conditions) return "";
  const RunConditions& c = *phase.conditions;
  std::vector<std::string> parts;
  if (c.mean_power)
    parts.push_back(fmt::format("power {} W (most {}, limit {} W)", text(c.mean_power), text(c.most_power),
                                text(c.power_limit)));
  if (const auto energy = step_energy(phase))
    parts.push_back(fmt::format("{} J/step, {} J/token", joules(energy->step), joules(energy->token)));
  if (c.mean_sm_clock)
    parts.push_back(fmt::format(
        "SM clock {} MHz ({}least {}, top {} MHz)", text(c.mean_sm_clock, mega),
        predicted_clock(phase) ? "predicted " + text(predicted_clock(phase), mega) + ", " : std::string{},
        text(c.least_sm_clock, mega), text(c.top_sm_clock, mega)));
  if (c.most_temperature) parts.push_back(text(c.most_temperature) + " °C");
  if (c.throttles) parts.push_back("throttled: " + throttling(c));
  if (!c.not_available.empty()) {
    parts.push_back((parts.empty() ? "power: " : "") + ("not available: " + c.not_available));
  }
  return fmt::format("{}\n", fmt::join(parts, ", "));
}

Table conditions_table(const StudyResult& study) {
  Table t{"The device while steps were timed; " + std::string{energy_note},
          {{"variant", false},
           {"phase", false},
           {"power [W]"},
           {"most [W]"},
           {"limit [W]"},
           {"J/step"},
           {"J/token"},
           {"SM clock [MHz]"},
           {"predicted [MHz]"},
           {"least [MHz]"},
           {"top [MHz]"},
           {"memory clock [MHz]"},
           {"temperature [°C]"},
           {"throttled", false},
           {"not available", false}},
          {}};
  for (const VariantResult& v : study.variants) {
    for (const PhaseResult& p : v.phases) {
      if (!p.conditions) continue;
      const RunConditions& c = *p.conditions;
      const auto energy = step_energy(p);
      t.rows.push_back(
          {{v.name, p.name, text(c.mean_power), text(c.most_power), text(c.power_limit),
            energy ? joules(energy->step) : "–", energy ? joules(energy->token) : "–",
            text(c.mean_sm_clock, mega), text(predicted_clock(p), mega), text(c.least_sm_clock, mega),
            text(c.top_sm_clock, mega), text(c.mean_memory_clock, mega), text(c.most_temperature),
            throttling(c), c.not_available},
           false});
    }
  }
  return t;
}

std::string throttled_note(const StudyResult& study) {
  std::vector<Throttle> reasons;
  for (const VariantResult& v : study.variants) {
    for (const PhaseResult& p : v.phases) {
      if (!p.throttled()) continue;
      for (const Throttle reason : *p.conditions->throttles) {
        if (std::find(reasons.begin(), reasons.end(), reason) == reasons.end()) reasons.push_back(reason);
      }
    }
  }
  return reasons.empty() ? "" : "* throttled: " + text_of(reasons);
}

}  // namespace inferometer
