#pragma once
#include <nlohmann/json_fwd.hpp>

#include "reports/tables.hpp"

namespace inferometer {

/// Each pool of each variant that has several, as predicted.
Table pool_table(const StudyResult& study);
/// Caches that went from pool to pool, of each variant where some did.
Table transfer_table(const StudyResult& study);

/// [{name, role, device, instances, utilisation, ...}]: empty where a run had one pool
nlohmann::ordered_json pools_json(const ServingMetrics& metrics);
/// {transfers, bytes, prompt_tokens_there, time_ms, delay_ms: {mean, p50, p90, p95, p99}}; null where nothing
/// is handed over
nlohmann::ordered_json kv_transfer_json(const ServingMetrics& metrics);

}  // namespace inferometer
