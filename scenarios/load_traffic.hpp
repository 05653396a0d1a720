#pragma once
#include <filesystem>

#include "model/reader.hpp"
#include "simulator/serving/metrics.hpp"
#include "traffic/make_traffic.hpp"

namespace inferometer {

/// The `traffic:` section of a scenario:
///   file             a trace, by a path relative to `folder`, or to the folder that the environment variable
///                    INFEROMETER_DATA names where it begins with $INFEROMETER_DATA/
///   requests         at most so many
///   prompt_tokens, output_tokens   {mean, cv}: drawn, lognormal, instead of the file's
///   arrivals         {process, requests_per_second, cv, concurrency}; of sessions, of their first requests
///   sessions         {turns, distribution, think_time}: drawn prompts are what each turn adds
///   shared_prefix    {tokens, share}: comes before the drawn prompt of a share of requests, or sessions
///   block_tokens     of one identity of a block: where a file does not say it, 16 otherwise
/// Mistakes are in the reader's list afterwards.
TrafficSpec read_traffic(Reader in, const std::filesystem::path& folder);

/// Whether another seed gives other requests.
bool is_drawn(const TrafficSpec& spec);

/// Reads the file of a spec, where it has one, and draws the rest.
[[nodiscard]] Result<Traffic> load_traffic(const TrafficSpec& spec, std::uint64_t seed);

/// The `slo:` section: ttft, tpot, e2el, each a time that requests must stay within, and attainment, the part
/// of them that must (0.9).
ServiceLevel read_service_level(Reader in);

}  // namespace inferometer
