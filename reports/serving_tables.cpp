#include "reports/serving_tables.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "reports/or_null.hpp"
#include "reports/pool_tables.hpp"
#include "reports/served_csv.hpp"

namespace inferometer {
namespace {

using Json = nlohmann::ordered_json;

std::string ms(Seconds t) {
  const double value = t.count() * 1e3;
  if (std::isnan(value)) return "-";
  return value < 100 ? fmt::format("{:.2f}", value) : fmt::format("{:.0f}", value);
}

std::string percent(double part) { return fmt::format("{:.1f}", 100 * part); }

/// Traffic with a way between clients and the engine that takes time; of all variants alike.
Seconds client_delay(const StudyResult& study) {
  return study.scenario.traffic ? study.scenario.traffic->client_delay : Seconds{0};
}

}  // namespace

std::string_view executed_by(const ServingResult& serving) { return name(serving.durations); }

void for_each_served(const StudyResult& study, const VisitServed& visit) {
  for (const VariantResult& v : study.variants) {
    if (!v.serving) continue;
    visit(v, "predicted", v.serving->predicted);
    if (v.serving->as_found) visit(v, "as found", v.serving->as_found->predicted);
    if (v.serving->executed) visit(v, executed_by(*v.serving), *v.serving->executed);
  }
}

std::string level_text(const ServiceLevel& level) {
  std::string text;
  for (const auto& [what, limit] :
       {std::pair{"TTFT", level.ttft}, {"TPOT", level.tpot}, {"E2EL", level.e2el}}) {
    if (limit) text += fmt::format("{} {:g} ms, ", what, 1e3 * limit->count());
  }
  return text + fmt::format("of {:g} % of the requests", 100 * level.attainment);
}

Json level_json(const ServiceLevel& level) {
  const auto limit = [](const std::optional<Seconds>& t) { return t ? Json(t->count()) : Json(nullptr); };
  return {{"ttft_s", limit(level.ttft)},
          {"tpot_s", limit(level.tpot)},
          {"e2el_s", limit(level.e2el)},
          {"attainment", level.attainment}};
}

Table serving_latencies(const StudyResult& study) {
  Table t{.caption =
              "Latencies [ms] by vLLM's definitions, in the engine: arrival there to the end of the step "
              "that made a token; throughput from the first arrival to the last token",
          .columns = {{"variant", false},
                      {"", false},
                      {"TTFT mean"},
                      {"p90"},
                      {"p99"},
                      {"TPOT mean"},
                      {"p99"},
                      {"ITL p99"},
                      {"E2EL mean"},
                      {"p99"},
                      {"requests/s"},
                      {"output tokens/s"}},
          .rows = {}};
  if (const Seconds delay = client_delay(study); delay.count() > 0)
    t.caption +=
        fmt::format(". A client sees TTFT and E2EL {:g} ms later, and the SLO is judged by what it sees",
                    1e3 * delay.count());
  const bool judged = std::any_of(study.variants.begin(), study.variants.end(), [](const VariantResult& v) {
    return v.serving && v.serving->predicted.metrics.goodput;
  });
  if (judged) {
    t.caption += ". SLO: " + level_text(study.scenario.level);
    t.columns.push_back({"goodput/s"});
    t.columns.push_back({"within SLO %"});
  }
  for_each_served(study, [&](const VariantResult& v, std::string_view by, const Served& served) {
    const ServingMetrics& m = served.metrics;
    Table::Row row{.cells = {v.name, std::string{by}, ms(m.ttft.mean), ms(m.ttft.p90), ms(m.ttft.p99),
                             ms(m.tpot.mean), ms(m.tpot.p99), ms(m.itl.p99), ms(m.e2el.mean), ms(m.e2el.p99),
                             fmt::format("{:.3f}", m.request_throughput),
                             fmt::format("{:.1f}", m.output_throughput)}};
    if (judged) {
      row.cells.push_back(m.goodput ? fmt::format("{:.3f}", *m.goodput) : "-");
      row.cells.push_back(m.slo_attainment ? percent(*m.slo_attainment) : "-");
    }
    t.rows.push_back(std::move(row));
  });
  return t;
}

Table serving_capacity(const StudyResult& study) {
  Table t{.caption = "What served them. Blocks are of one instance; jumped steps changed nothing but lengths",
          .columns = {{"variant", false},
                      {"", false},
                      {"completed"},
                      {"rejected"},
                      {"preemptions"},
                      {"KV blocks"},
                      {"most used %"},
                      {"prefix hits %"},
                      {"busy %"},
                      {"steps"},
                      {"jumped %"},
                      {"simulated s"},
                      {"took here s"}},
          .rows = {}};
  const bool divided = std::any_of(study.variants.begin(), study.variants.end(), [](const VariantResult& v) {
    return v.serving && v.serving->predicted.metrics.bubbles;
  });
  if (divided) {
    t.caption += ". Bubbles: of the time while a step is under way, what the parts of a replica wait";
    t.columns.push_back({"bubbles %"});
  }
  const bool swapped = std::any_of(study.variants.begin(), study.variants.end(), [](const VariantResult& v) {
    return v.serving && v.serving->predicted.metrics.swaps;
  });
  if (swapped) {
    t.caption +=
        ". Swapped: to host memory and back, of one device of each instance; steps wait for it for the part "
        "of the time beside it";
    t.columns.push_back({"swapped GB"});
    t.columns.push_back({"swapping %"});
  }
  for_each_served(study, [&](const VariantResult& v, std::string_view by, const Served& served) {
    const ServingMetrics& m = served.metrics;
    const auto part = [](std::int64_t a, std::int64_t b) {
      return percent(b > 0 ? static_cast<double>(a) / static_cast<double>(b) : 0);
    };
    t.rows.push_back(
        {.cells = {v.name, std::string{by}, std::to_string(m.completed), std::to_string(m.rejected),
                   std::to_string(m.preemptions), std::to_string(m.kv_blocks), part(m.kv_peak, m.kv_blocks),
                   percent(m.prefix_hit_rate), percent(m.utilisation), std::to_string(m.steps),
                   part(m.jumped_steps, m.steps), fmt::format("{:.1f}", m.simulated_s),
                   fmt::format("{:.2f}", served.wall_s)}});
    if (divided) t.rows.back().cells.push_back(m.bubbles ? percent(*m.bubbles) : "-");
    if (!swapped) return;
    const SwapMetrics swaps = m.swaps.value_or(SwapMetrics{});
    t.rows.back().cells.push_back(
        fmt::format("{:.2f}", 1e-9 * static_cast<double>((swaps.out + swaps.in).value)));
    t.rows.back().cells.push_back(percent(swaps.part));
  });
  return t;
}

namespace {

void add_latency_errors(Table::Row& row, const Served& predicted, const Served& executed,
                        const Traffic& traffic) {
  const ServingMetrics &a = predicted.metrics, &b = executed.metrics;
  const auto off = [&](Seconds x, Seconds y) {
    row.cells.push_back(fmt::format("{:+.1f}", 100 * (x / y - 1)));
  };
  off(a.ttft.mean, b.ttft.mean);
  off(a.ttft.p99, b.ttft.p99);
  off(a.tpot.mean, b.tpot.mean);
  off(a.tpot.p99, b.tpot.p99);
  off(a.e2el.mean, b.e2el.mean);
  const RequestLatencies x = latencies_of(predicted.run, traffic), y = latencies_of(executed.run, traffic);
  row.cells.push_back(fmt::format("{:.3f}", distance(x.ttft, y.ttft)));
  row.cells.push_back(fmt::format("{:.3f}", distance(x.tpot, y.tpot)));
}

}  // namespace

Table serving_errors(const StudyResult& study) {
  Table t{.caption =
              "Predicted against executed, errors in percent of what was executed. Distance: the largest "
              "difference between the two distributions (Kolmogorov-Smirnov)",
          .columns = {{"variant", false},
                      {"by", false},
                      {"steps"},
                      {"step median |error|"},
                      {"p90"},
                      {"steps in all"},
                      {"TTFT mean"},
                      {"p99"},
                      {"TPOT mean"},
                      {"p99"},
                      {"E2EL mean"},
                      {"TTFT distance"},
                      {"TPOT distance"}},
          .rows = {}};
  for (const VariantResult& v : study.variants) {
    if (!v.serving || !v.serving->executed) continue;
    const ServingResult& s = *v.serving;
    std::vector<double> errors;
    double predicted = 0, executed = 0;
    for (const ServingResult::StepPair& p : s.steps) {
      predicted += static_cast<double>(p.predicted.count());
      executed += static_cast<double>(p.executed.count());
      errors.push_back(
          std::fabs(static_cast<double>(p.predicted.count()) / static_cast<double>(p.executed.count()) - 1));
    }
    const bool any = !errors.empty();
    t.rows.push_back(
        {.cells = {v.name, "predicted", std::to_string(s.steps.size()),
                   percent(any ? quantile(errors, 0.5) : 0), percent(any ? quantile(errors, 0.9) : 0),
                   fmt::format("{:+.1f}", 100 * (predicted / executed - 1))}});
    add_latency_errors(t.rows.back(), s.predicted, *s.executed, *s.traffic);
    if (!s.as_found) continue;
    t.rows.push_back({.cells = {v.name, "as found", "-", "-", "-", "-"}});
    add_latency_errors(t.rows.back(), s.as_found->predicted, *s.executed, *s.traffic);
  }
  return t;
}

std::vector<std::string> serving_notes(const StudyResult& study) {
  std::vector<std::string> notes;
  for (const VariantResult& v : study.variants) {
    if (!v.not_served.empty()) notes.push_back(v.name + ": not served: " + v.not_served);
    const bool same = &v != &study.variants.front() && v.not_measured == study.variants.front().not_measured;
    if (!v.not_measured.empty() && !same) notes.push_back(v.name + ": not executed: " + v.not_measured);
    if (v.serving && v.serving->executed && v.serving->durations == StepDurations::reused)
      notes.push_back(fmt::format("{}: executed, durations reused: {} of {} steps executed", v.name,
                                  v.serving->steps.size(), v.serving->executed->metrics.steps));
    if (v.serving && v.serving->traffic->requests.size() > most_csv_requests)
      notes.push_back(fmt::format("{}: requests.csv has the first {} of {} requests", v.name,
                                  most_csv_requests, v.serving->traffic->requests.size()));
    if (v.serving && v.serving->durations == StepDurations::executed) {
      constexpr double disturbed = 1.3;
      if (const auto slowest = slowest_tenth(v.serving->steps); slowest && *slowest > disturbed)
        notes.push_back(fmt::format(
            "{}: executed: a tenth of the steps took {:.1f} times as long as the median tenth, against their "
            "predictions: something else used this machine, or its clocks fell; what is compared with this "
            "run "
            "is off by that",
            v.name, *slowest));
    }
    if (v.serving && v.serving->as_found)
      notes.push_back(fmt::format(
          "{}: as found: predicted for memory that is read at {:.1f} GB/s, as between the executed steps ({} "
          "looks); "
          "predicted: at {:.1f} GB/s, {}",
          v.name, 1e-9 * v.serving->as_found->memory.rate.value, v.serving->as_found->memory.looks,
          1e-9 * v.settings.cluster.device.memory_bandwidth.value.value,
          v.settings.cluster.device.memory_bandwidth.source));
    if (v.serving && v.serving->executed && v.serving->executed->metrics.swaps)
      notes.push_back(v.name +
                      ": executed: its steps; swapped blocks are not copied, that takes what the host "
                      "link is said to take");
  }
  return notes;
}

std::string serving_verdict(const StudyResult& study) {
  const auto good = [](const VariantResult& v) {
    if (!v.serving) return -1.0;
    const ServingMetrics& m = v.serving->predicted.metrics;
    return m.goodput.value_or(m.request_throughput);
  };
  const auto& all = study.variants;
  const auto best =
      std::max_element(all.begin(), all.end(),
                       [&](const VariantResult& a, const VariantResult& b) { return good(a) < good(b); });
  if (!best->serving) return "No variant could be served.";
  const ServingMetrics& m = best->serving->predicted.metrics;
  const std::string latencies = fmt::format("mean TTFT {} ms, TPOT {} ms", ms(m.ttft.mean), ms(m.tpot.mean));
  if (m.goodput)
    return fmt::format(
        "Most requests within the service level, as predicted: {}, {:.3f} a second ({} % of all), {}.",
        best->name, *m.goodput, percent(*m.slo_attainment), latencies);
  return fmt::format("Most requests a second, as predicted: {}, {:.3f}, {}.", best->name,
                     m.request_throughput, latencies);
}

Json latency_json(const LatencySummary& l) {
  const auto value = [](Seconds t) { return std::isnan(t.count()) ? Json(nullptr) : Json(t.count() * 1e3); };
  return {{"mean", value(l.mean)},
          {"p50", value(l.p50)},
          {"p90", value(l.p90)},
          {"p95", value(l.p95)},
          {"p99", value(l.p99)}};
}

Json swap_json(const std::optional<SwapMetrics>& swaps) {
  if (!swaps) return nullptr;
  return {{"bytes_out", swaps->out.value},
          {"bytes_in", swaps->in.value},
          {"time_s", swaps->time.count()},
          {"part_of_time", swaps->part}};
}

Json metrics_json(const ServingMetrics& m) {
  const ServingCost& c = m.cost;
  return {{"ttft_ms", latency_json(m.ttft)},
          {"tpot_ms", latency_json(m.tpot)},
          {"itl_ms", latency_json(m.itl)},
          {"e2el_ms", latency_json(m.e2el)},
          {"queue_ms", latency_json(m.queue)},
          {"client_ttft_ms", latency_json(m.client_ttft)},
          {"client_e2el_ms", latency_json(m.client_e2el)},
          {"request_throughput", m.request_throughput},
          {"output_throughput", m.output_throughput},
          {"total_token_throughput", m.total_token_throughput},
          {"goodput", or_null(m.goodput)},
          {"slo_attainment", or_null(m.slo_attainment)},
          {"slo_missed", m.slo_attainment ? Json{{"ttft", m.missed.ttft},
                                                 {"tpot", m.missed.tpot},
                                                 {"e2el", m.missed.e2el},
                                                 {"rejected", m.missed.rejected}}
                                          : Json(nullptr)},
          {"completed", m.completed},
          {"rejected", m.rejected},
          {"preemptions", m.preemptions},
          {"kv_blocks", m.kv_blocks},
          {"kv_blocks_peak", m.kv_peak},
          {"swap", swap_json(m.swaps)},
          {"prefix_hit_rate", m.prefix_hit_rate},
          {"utilisation", m.utilisation},
          {"bubbles", or_null(m.bubbles)},
          {"steps", m.steps},
          {"jumped_steps", m.jumped_steps},
          {"simulated_s", m.simulated_s},
          {"devices", c.devices},
          {"energy_j", or_null(c.energy)},
          {"energy_per_output_token_j", or_null(c.energy_per_output_token)},
          {"mean_power_w", or_null(c.mean_power)},
          {"cost_per_million_output_tokens_usd", or_null(c.per_million_output_tokens)},
          {"cost_per_million_total_tokens_usd", or_null(c.per_million_total_tokens)},
          {"cost_not_known", c.not_known.empty() ? Json(nullptr) : Json(c.not_known)}};
}

Json served_json(const Served& served) {
  Json json = metrics_json(served.metrics);
  json["wall_s"] = served.wall_s;
  json["pools"] = pools_json(served.metrics);
  json["kv_transfer"] = kv_transfer_json(served.metrics);
  return json;
}

Json executed_steps_json(const ServingResult& serving) {
  if (!serving.executed) return nullptr;
  Json rows = Json::array();
  for (const ServingResult::StepPair& p : serving.steps) {
    const AttendedLengths &one = p.totals.attended.single, &more = p.totals.attended.prompts;
    rows.push_back({one.count, one.all, one.longest, more.count, more.fresh, more.all, p.predicted.count(),
                    p.executed.count()});
  }
  return {{"columns",
           {"decoding_sequences", "decoding_tokens", "longest", "prompts", "prompt_new_tokens",
            "prompt_tokens", "predicted_ns", "executed_ns"}},
          {"rows", std::move(rows)}};
}

std::string text_of(const Table& table) {
  std::vector<std::size_t> widths;
  for (std::size_t c = 0; c < table.columns.size(); ++c) {
    widths.push_back(table.columns[c].title.size());
    for (const Table::Row& row : table.rows) widths[c] = std::max(widths[c], row.cells[c].size());
  }
  const auto line = [&](auto cell) {
    std::string text;
    for (std::size_t c = 0; c < table.columns.size(); ++c) {
      const bool right = table.columns[c].number;
      text +=
          right ? fmt::format("{:>{}}  ", cell(c), widths[c]) : fmt::format("{:<{}}  ", cell(c), widths[c]);
    }
    text.erase(text.find_last_not_of(' ') + 1);
    return text + "\n";
  };
  std::string text = table.caption + "\n" + line([&](std::size_t c) { return table.columns[c].title; });
  for (const Table::Row& row : table.rows) text += line([&](std::size_t c) { return row.cells[c]; });
  return text;
}

}  // namespace inferometer
