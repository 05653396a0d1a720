#include "reports/steps_report.hpp"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "model/nearest_rank.hpp"
#include "reports/or_null.hpp"

namespace inferometer {
namespace {

/// Absolute errors, in percent.
struct Errors100 {
  std::vector<double> all;
  double sum = 0;
  void add(double error) {
    all.push_back(100 * std::abs(error));
    sum += 100 * error;
  }
  double median() const { return nearest_rank(all, 0.5); }
  double p90() const { return nearest_rank(all, 0.9); }
  double bias() const { return sum / static_cast<double>(all.size()); }
};

std::map<std::string, Errors100> by_operator(const JudgedGrid& judged) {
  std::map<std::string, Errors100> ops;
  for (const JudgedStep& step : judged.steps) {
    for (const JudgedKernel& k : step.kernels) {
      if (k.measured > Seconds{0}) ops[k.op].add(k.error());
    }
  }
  return ops;
}

Errors100 over_steps(const JudgedGrid& judged) {
  Errors100 all;
  for (const JudgedStep& step : judged.steps) all.add(step.error());
  return all;
}

/// Of the steps whose interval is known, how many it holds.
struct Coverage {
  std::size_t known = 0, held = 0;
};
Coverage coverage(const JudgedGrid& judged) {
  Coverage c;
  for (const JudgedStep& s : judged.steps) {
    if (!s.interval) continue;
    ++c.known;
    c.held += s.measured >= s.interval->low && s.measured <= s.interval->high;
  }
  return c;
}

double ms(Seconds t) { return t.count() * 1e3; }

std::string percent(const std::optional<double>& part) {
  return part ? fmt::format("{:.0f}", 100 * *part) : "-";
}

nlohmann::ordered_json interval_json(const std::optional<Interval>& interval) {
  if (!interval) return nullptr;
  const auto of = [](Nanoseconds t) { return ms(std::chrono::duration_cast<Seconds>(t)); };
  return {of(interval->low), of(interval->high)};
}

}  // namespace

std::string steps_table(const StepsReport& report) {
  std::string text = fmt::format("device {}, calibration: {}\n", report.device, report.calibration);
  for (const auto& [key, value] : report.facts) text += fmt::format("{}: {}\n", key, value);
  text += fmt::format("\n{:<14} {:<7} {:<7} {:<24} {:>12} {:>17} {:>13} {:>8} {:>8} {:>11}\n", "model",
                      "plan", "format", "step", "measured ms", "p10 to p90", "predicted ms", "error %",
                      "clock %", "predicted %");
  for (const JudgedStep& s : report.judged.steps)
    text += fmt::format(
        "{:<14} {:<7} {:<7} {:<24} {:>12.4f} {:>8.4f} {:>8.4f} {:>13.4f} {:>+8.1f} {:>8} {:>11}{}\n", s.model,
        s.plan, s.format, s.step, ms(s.measured), ms(s.p10), ms(s.p90), ms(s.predicted), 100 * s.error(),
        percent(s.measured_clock), percent(s.predicted_clock), s.throttled ? "  throttled" : "");
  text +=
      "\nClocks: of the multiprocessors, as part of the top one; those of steps of less than 2 ms had no "
      "time to "
      "settle.\nErrors of kernels are of exposed times as traced; of those that multiply times untraced over "
      "traced, since "
      "tracing pauses let clocks recover.\n";
  text += fmt::format("{:<24} {:>6} {:>9} {:>6} {:>6}\n", "kernels of", "n", "median %", "p90 %", "bias %");
  for (const auto& [op, e] : by_operator(report.judged))
    text += fmt::format("{:<24} {:>6} {:>9.1f} {:>6.1f} {:>+6.1f}\n", op, e.all.size(), e.median(), e.p90(),
                        e.bias());
  text += "\n";
  for (const JudgedMemory& m : report.judged.memory)
    text += fmt::format("memory of {}, {}, {}: used {:.3f} GiB, predicted {:.3f} GiB, error {:+.2f} %\n",
                        m.model, m.plan, m.format, static_cast<double>(m.used.value) / 0x1p30,
                        static_cast<double>(m.predicted.value) / 0x1p30, 100 * m.error());
  if (report.judged.steps.empty()) return text + "no step was measured\n";
  const Errors100 all = over_steps(report.judged);
  text += fmt::format("\n{} steps: median error {:.1f} %, p90 {:.1f} %, bias {:+.1f} %", all.all.size(),
                      all.median(), all.p90(), all.bias());
  if (const Coverage c = coverage(report.judged); c.known > 0)
    text += fmt::format(", 90 % intervals hold {:.0f} % of {}",
                        100 * static_cast<double>(c.held) / static_cast<double>(c.known), c.known);
  return text + "\n";
}

std::string steps_json(const StepsReport& report) {
  using nlohmann::ordered_json;
  ordered_json json{{"device", report.device}, {"calibration", report.calibration}, {"facts", report.facts}};
  json["steps"] = ordered_json::array();
  for (const JudgedStep& s : report.judged.steps) {
    ordered_json kernels = ordered_json::array();
    for (const JudgedKernel& k : s.kernels)
      kernels.push_back({{"operator", k.op},
                         {"kernel", k.kernel},
                         {"count", k.count},
                         {"traced_us", k.measured.count() * 1e6},
                         {"untraced_over_traced", k.stretch},
                         {"predicted_us", k.predicted.count() * 1e6}});
    json["steps"].push_back({{"model", s.model},
                             {"plan", s.plan},
                             {"format", s.format},
                             {"step", s.step},
                             {"measured_ms", ms(s.measured)},
                             {"p10_ms", ms(s.p10)},
                             {"p90_ms", ms(s.p90)},
                             {"predicted_ms", ms(s.predicted)},
                             {"error_percent", 100 * s.error()},
                             {"interval_ms", interval_json(s.interval)},
                             {"measured_clock", or_null(s.measured_clock)},
                             {"predicted_clock", or_null(s.predicted_clock)},
                             {"throttled", s.throttled},
                             {"kernels", std::move(kernels)}});
  }
  json["memory"] = ordered_json::array();
  for (const JudgedMemory& m : report.judged.memory)
    json["memory"].push_back({{"model", m.model},
                              {"plan", m.plan},
                              {"format", m.format},
                              {"used_bytes", m.used.value},
                              {"predicted_bytes", m.predicted.value}});
  if (!report.judged.steps.empty()) {
    const Errors100 all = over_steps(report.judged);
    json["all"] = {
        {"n", all.all.size()}, {"median_ape", all.median()}, {"p90_ape", all.p90()}, {"bias", all.bias()}};
  }
  return json.dump(2) + "\n";
}

}  // namespace inferometer
