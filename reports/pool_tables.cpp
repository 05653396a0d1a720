#include "reports/pool_tables.hpp"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "reports/serving_tables.hpp"

namespace inferometer {
namespace {

using Json = nlohmann::ordered_json;

std::string ms(Seconds t) { return std::isnan(t.count()) ? "-" : fmt::format("{:.2f}", 1e3 * t.count()); }
std::string percent(double part) { return fmt::format("{:.1f}", 100 * part); }

/// Each variant that was served by several pools.
template <class Visit>
void pooled(const StudyResult& study, Visit visit) {
  for (const VariantResult& v : study.variants) {
    if (v.serving && !v.serving->predicted.metrics.pools.empty()) visit(v, v.serving->predicted.metrics);
  }
}

/// "serving.max_num_seqs 64, parallel.tensor 2".
std::string own_settings(const Pool& pool) {
  std::string text;
  for (const Edit& e : pool.edits) text += (text.empty() ? "" : ", ") + e.path + " " + e.value;
  return text;
}

}  // namespace

Table pool_table(const StudyResult& study) {
  Table t{.caption =
              "Pools, predicted. Running and waiting: requests of an instance while it ran steps, mean; "
              "blocks of an instance",
          .columns = {{"variant", false},
                      {"pool", false},
                      {"role", false},
                      {"device", false},
                      {"instances"},
                      {"busy %"},
                      {"running"},
                      {"waiting"},
                      {"KV blocks"},
                      {"most used %"},
                      {"preemptions"},
                      {"steps"},
                      {"prompt tokens"},
                      {"output tokens"},
                      {"its own settings", false}},
          .rows = {}};
  pooled(study, [&](const VariantResult& v, const ServingMetrics& m) {
    for (std::size_t i = 0; i < m.pools.size(); ++i) {
      const PoolMetrics& p = m.pools[i];
      const double used = static_cast<double>(p.kv_peak) / static_cast<double>(p.kv_blocks);
      t.rows.push_back(
          {.cells = {v.name, p.name, std::string{name(p.role)}, p.device, std::to_string(p.instances),
                     percent(p.utilisation), fmt::format("{:.1f}", p.running),
                     fmt::format("{:.1f}", p.waiting), std::to_string(p.kv_blocks), percent(used),
                     std::to_string(p.preemptions), std::to_string(p.steps), std::to_string(p.prompt_tokens),
                     std::to_string(p.output_tokens), own_settings(v.pools[i])}});
    }
  });
  return t;
}

Table transfer_table(const StudyResult& study) {
  Table t{.caption =
              "KV caches from prefill to decode instances [ms]. Time: from room at the receiver to the last "
              "byte there; delay: from the first token to that, within the time to the second one",
          .columns = {{"variant", false},
                      {"transfers"},
                      {"GB"},
                      {"prompt tokens there"},
                      {"time mean"},
                      {"p99"},
                      {"delay mean"},
                      {"p99"}},
          .rows = {}};
  pooled(study, [&](const VariantResult& v, const ServingMetrics& m) {
    if (!m.transfers) return;
    const TransferMetrics& x = *m.transfers;
    t.rows.push_back({.cells = {v.name, std::to_string(x.transfers),
                                fmt::format("{:.3f}", static_cast<double>(x.bytes.value) * 1e-9),
                                std::to_string(x.tokens_there), ms(x.time.mean), ms(x.time.p99),
                                ms(x.delay.mean), ms(x.delay.p99)}});
  });
  return t;
}

Json pools_json(const ServingMetrics& metrics) {
  Json pools = Json::array();
  for (const PoolMetrics& p : metrics.pools) {
    pools.push_back({{"name", p.name},
                     {"role", name(p.role)},
                     {"device", p.device},
                     {"instances", p.instances},
                     {"utilisation", p.utilisation},
                     {"running_mean", p.running},
                     {"waiting_mean", p.waiting},
                     {"kv_blocks", p.kv_blocks},
                     {"kv_blocks_peak", p.kv_peak},
                     {"preemptions", p.preemptions},
                     {"steps", p.steps},
                     {"prompt_tokens", p.prompt_tokens},
                     {"output_tokens", p.output_tokens}});
  }
  return pools;
}

Json kv_transfer_json(const ServingMetrics& metrics) {
  if (!metrics.transfers) return nullptr;
  const TransferMetrics& x = *metrics.transfers;
  return {{"transfers", x.transfers},
          {"bytes", x.bytes.value},
          {"prompt_tokens_there", x.tokens_there},
          {"time_ms", latency_json(x.time)},
          {"delay_ms", latency_json(x.delay)}};
}

}  // namespace inferometer
