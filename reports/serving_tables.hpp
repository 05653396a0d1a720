#pragma once
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "reports/tables.hpp"

namespace inferometer {

/// "predicted" stands beside what a run that was executed is called: "executed", or "reused" where its steps
/// have the durations of others that were.
std::string_view executed_by(const ServingResult& serving);

/// Each run of each variant that is served; `by` is "predicted", "as found" (predicted for the memory that was
/// found between executed steps) or what executed_by() says.
using VisitServed = std::function<void(const VariantResult&, std::string_view by, const Served&)>;
void for_each_served(const StudyResult& study, const VisitServed& visit);

/// Such as "TTFT 500 ms, TPOT 20 ms, of 90 % of the requests".   requires a limit
std::string level_text(const ServiceLevel& level);
nlohmann::ordered_json level_json(const ServiceLevel& level);

/// Latencies, throughput and goodput of every variant, predicted and executed.
Table serving_latencies(const StudyResult& study);
/// What served them: cache, steps, use of the device, and what the run took here.
Table serving_capacity(const StudyResult& study);
/// How near predicted steps and latencies came to executed ones; empty where nothing was executed.
Table serving_errors(const StudyResult& study);

/// What was not served or not executed, and why; what disturbed a run that was executed.
std::vector<std::string> serving_notes(const StudyResult& study);
/// A sentence: which variant keeps the most requests within the service level, or is fastest.
std::string serving_verdict(const StudyResult& study);

/// {mean, p50, p90, p95, p99} [ms], null of none
nlohmann::ordered_json latency_json(const LatencySummary& latency);
/// {ttft_ms, tpot_ms, itl_ms, e2el_ms, queue_ms, client_ttft_ms, client_e2el_ms: {mean, p50, p90, p95, p99},
/// request_throughput, output_throughput, ...}, the names of vLLM's benchmark
nlohmann::ordered_json metrics_json(const ServingMetrics& metrics);
/// The same, the time that the run took here, and pools and kv_transfer as in pool_tables.hpp.
nlohmann::ordered_json served_json(const Served& served);

/// {columns: [names], rows: [[numbers]]}: every executed step, its totals, predicted and executed time; null
/// where nothing was executed
nlohmann::ordered_json executed_steps_json(const ServingResult& serving);

/// For a terminal: aligned columns.
std::string text_of(const Table& table);

}  // namespace inferometer
