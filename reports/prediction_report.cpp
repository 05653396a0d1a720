#include "reports/prediction_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "reports/or_null.hpp"

namespace inferometer {
namespace {

struct Row {
  std::string name;
  std::int64_t count = 0;
  Seconds time{0};
  std::map<Bound, Seconds> bounds;
  Flops flops{0};
  Bytes bytes{0};

  /// What bounds most of the time.
  Bound bound() const {
    return std::max_element(bounds.begin(), bounds.end(),
                            [](const auto& a, const auto& b) { return a.second < b.second; })
        ->first;
  }
};

std::vector<Row> rows_of(const PredictionReport& r) {
  std::map<Role, Row> by_role;
  for (std::size_t i = 0; i < r.structure.nodes.size(); ++i) {
    const Estimate& e = r.prediction.nodes[i];
    Row& row = by_role[r.structure.nodes[i].role];
    row.name = name(r.structure.nodes[i].role);
    row.count += 1;
    row.time += e.time();
    row.bounds[e.bound] += e.time();
    row.flops += e.flops;
    row.bytes += e.moved;
  }
  std::vector<Row> rows;
  for (auto& [role, row] : by_role) rows.push_back(std::move(row));
  std::stable_sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) { return a.time > b.time; });
  return rows;
}

Bound bound_of(const std::vector<Row>& rows) {
  Row whole;
  for (const Row& row : rows) {
    for (const auto& [bound, time] : row.bounds) whole.bounds[bound] += time;
  }
  return whole.bound();
}

constexpr std::string_view no_interval = "none: this level has no validation evidence for this device";

constexpr std::string_view evidence = "90 %, from kernels left out of the calibration's fits";

double seconds(Nanoseconds t) { return std::chrono::duration<double>(t).count(); }

nlohmann::ordered_json interval_json(const std::optional<Interval>& interval) {
  if (!interval) return nullptr;
  return {seconds(interval->low), seconds(interval->high)};
}

}  // namespace

std::string prediction_json(const PredictionReport& r) {
  const std::vector<Row> rows = rows_of(r);
  nlohmann::ordered_json operators = nlohmann::ordered_json::array();
  for (const Row& row : rows) {
    operators.push_back({{"name", row.name},
                         {"count", row.count},
                         {"time_s", row.time.count()},
                         {"bound", name(row.bound())},
                         {"flops", row.flops.value},
                         {"bytes", row.bytes.value}});
  }
  const nlohmann::ordered_json json = {{"model", r.model},
                                       {"device", r.settings.cluster.device.name},
                                       {"phase", r.phase},
                                       {"tokens", r.features.tokens},
                                       {"time_s", seconds(r.prediction.timeline.end)},
                                       {"interval_s", interval_json(r.prediction.interval)},
                                       {"interval_basis", r.prediction.interval ? evidence : no_interval},
                                       {"predicted_clock", or_null(r.prediction.clock)},
                                       {"level", name(r.prediction.level)},
                                       {"bound", name(bound_of(rows))},
                                       {"memory",
                                        {{"weights_bytes", r.memory.weights.value},
                                         {"kv_bytes", r.memory.kv.value},
                                         {"activation_bytes", r.memory.activations.value},
                                         {"workspace_bytes", r.memory.workspace.value},
                                         {"total_bytes", r.memory.total().value},
                                         {"capacity_bytes", r.memory.capacity.value},
                                         {"fits", r.memory.fits()}}},
                                       {"operators", operators}};
  return json.dump(2) + "\n";
}

std::string prediction_table(const PredictionReport& r) {
  const std::vector<Row> rows = rows_of(r);
  const double total = seconds(r.prediction.timeline.end);
  std::string text = fmt::format("{} on {} x {}, {} of {} sequence(s), {} new token(s)\n", r.model,
                                 r.settings.plan.parallel.devices(), r.settings.cluster.device.name, r.phase,
                                 r.features.sequences, r.features.tokens);
  text += fmt::format("step time {:.3f} ms ({} level, {} bound; interval {})\n", total * 1e3,
                      name(r.prediction.level), name(bound_of(rows)),
                      r.prediction.interval
                          ? fmt::format("{:.3f} to {:.3f} ms, {}", seconds(r.prediction.interval->low) * 1e3,
                                        seconds(r.prediction.interval->high) * 1e3, evidence)
                          : std::string{no_interval});
  if (r.prediction.clock.value_or(1) < 1)
    text += fmt::format("multiprocessors at {:.0f} % of their top clock, by the limit of power\n",
                        100 * *r.prediction.clock);
  text += fmt::format("\n{:<20} {:>6} {:>12} {:>7} {:>8} {:>11} {:>11}\n", "operator", "count", "time",
                      "share", "bound", "GFLOP", "GB");
  for (const Row& row : rows) {
    text +=
        fmt::format("{:<20} {:>6} {:>9.3f} ms {:>6.1f}% {:>8} {:>11.3f} {:>11.4f}\n", row.name, row.count,
                    row.time.count() * 1e3, 100 * row.time.count() / total, name(row.bound()),
                    static_cast<double>(row.flops.value) * 1e-9, static_cast<double>(row.bytes.value) * 1e-9);
  }
  const auto gib = [](Bytes b) { return static_cast<double>(b.value) / (1 << 30); };
  text += fmt::format(
      "\nmemory per device: weights {:.2f} + KV {:.2f} + activations {:.2f} + workspace {:.2f} = {:.2f} of "
      "{:.2f} GiB: {}\n",
      gib(r.memory.weights), gib(r.memory.kv), gib(r.memory.activations), gib(r.memory.workspace),
      gib(r.memory.total()), gib(r.memory.capacity), r.memory.fits() ? "fits" : "does not fit");
  return text;
}

}  // namespace inferometer
