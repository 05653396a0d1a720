#pragma once
#include <string>

#include "scenarios/study.hpp"

namespace inferometer {

/// Rows of one run in requests.csv, at most.
inline constexpr std::size_t most_csv_requests = 1'000'000;

/// Every request of every run: variant, by (predicted, executed or reused), request (its number in the
/// traffic), arrival_s, ttft_ms, tpot_ms, e2el_ms, queue_ms (in the engine), client_ttft_ms, client_e2el_ms,
/// within_slo (yes or no, where there is one), prompt_tokens, output_tokens, preemptions, outcome (completed
/// or rejected). What does not apply is empty. Of runs of more than a million requests the first million.
std::string requests_csv(const StudyResult& study);

/// Load over time in equal intervals: variant, by, pool (empty: all), start_s, running, waiting,
/// kv_blocks_used (means of an instance at work), busy_s, output_tokens.
std::string timeline_csv(const StudyResult& study);

}  // namespace inferometer
