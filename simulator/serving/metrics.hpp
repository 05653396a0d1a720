#pragma once
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "model/traffic.hpp"
#include "simulator/serving/run.hpp"

namespace inferometer {

/// What a request must stay within to count as good.
struct ServiceLevel {
  std::optional<Seconds> ttft, tpot, e2el;
  double attainment = 0.9;  ///< part of the requests that must be good for the level to be met

  bool limits() const { return ttft || tpot || e2el; }
};

/// Parts of all requests that miss a limit each; one request can miss several.
struct SloMisses {
  double ttft = 0, tpot = 0, e2el = 0, rejected = 0;
};

/// Of one latency over requests (itl: over tokens). NaN of none.
struct LatencySummary {
  Seconds mean{0}, p50{0}, p90{0}, p95{0}, p99{0};
};

/// What a run's devices drew and cost; see cost.hpp. What is absent is in not_known, with the reason.
struct ServingCost {
  std::int64_t devices = 1;      ///< of all instances
  std::optional<Joules> energy;  ///< of all devices
  std::optional<Joules> energy_per_output_token;
  std::optional<Watts> mean_power;  ///< of one device
  std::optional<Dollars> per_million_output_tokens, per_million_total_tokens;
  std::string not_known;
};

/// What a pool of a run did.
struct PoolMetrics {
  std::string name, device;
  PoolRole role = PoolRole::both;
  std::int64_t instances = 1;
  double utilisation = 0;                   ///< part of the time that an instance ran a step
  double running = 0, waiting = 0;          ///< requests of an instance while it ran steps, mean
  std::int64_t kv_blocks = 0, kv_peak = 0;  ///< of an instance
  std::int64_t steps = 0, preemptions = 0;
  std::int64_t prompt_tokens = 0, output_tokens = 0;  ///< computed, made
};

/// Caches that went from one pool to another.
struct TransferMetrics {
  std::int64_t transfers = 0;
  Bytes bytes{0};
  std::int64_t tokens_there = 0;  ///< of prompts, that the receiver had already
  LatencySummary time;            ///< from room at the receiver to the last byte there
  LatencySummary delay;  ///< from the first token to all there and room for it: part of the next token's time
};

/// Blocks that went to host memory and came back, of each device of an instance.
struct SwapMetrics {
  Bytes out{0}, in{0};
  Seconds time{0};  ///< of all instances
  double part = 0;  ///< of the time, with its link to host memory in use: an instance of the pools that swap
};

/// A run under vLLM's names, each as `vllm bench serve` defines it, at two boundaries. In the engine a token
/// counts when the step that made it ends, and a request when it arrives there. A client, where
/// `vllm bench serve` stands, sees both Traffic::client_delay apart; times between tokens are the same.
struct ServingMetrics {
  LatencySummary ttft;   ///< arrival to first token
  LatencySummary tpot;   ///< (e2el - ttft) / (output tokens - 1), of requests with two and more
  LatencySummary itl;    ///< between two tokens of a request; quantiles to 0.1 %
  LatencySummary e2el;   ///< arrival to last token
  LatencySummary queue;  ///< arrival to the first step with the request
  LatencySummary client_ttft, client_e2el;  ///< as a client sees them; service levels are judged by these
  double request_throughput = 0;  ///< completed [1/s], over the time from the first arrival to the last token
  double output_throughput = 0;   ///< [tokens/s]
  double total_token_throughput = 0;     ///< prompts and outputs of completed requests [tokens/s]
  std::optional<double> goodput;         ///< completed within the service level [1/s], where there is one
  std::optional<double> slo_attainment;  ///< part of all requests that were, rejected ones included
  SloMisses missed;                      ///< where there is a level
  std::int64_t completed = 0, rejected = 0, preemptions = 0;
  std::int64_t kv_blocks = 0,
               kv_peak = 0;          ///< of an instance; with pools, of the one whose cache was fullest
  double utilisation = 0;            ///< part of the time that an instance ran a step
  std::optional<double> bubbles;     ///< part of PoolRun::parts_time that was not at work
  std::optional<SwapMetrics> swaps;  ///< where there were any
  double prefix_hit_rate = 0;        ///< prompt tokens found in the cache, of those that were needed
  std::int64_t steps = 0, jumped_steps = 0;
  double simulated_s = 0;
  ServingCost cost;                          ///< by cost_of()
  std::vector<PoolMetrics> pools;            ///< where there are several
  std::optional<TransferMetrics> transfers;  ///< where some hand over to others
};

/// Of one completed request, in the engine.
struct RequestTimes {
  Seconds ttft{0}, e2el{0}, queue{0};
  std::optional<Seconds> tpot;  ///< of one with two tokens and more
};
RequestTimes times_of(const RequestRecord& record, const Request& request);

/// Whether a completed request stays within all limits of the level, as its client sees it.
bool is_good(const RequestTimes& times, Seconds client_delay, const ServiceLevel& level);

ServingMetrics metrics_of(const ServingRun& run, const Traffic& traffic, const ServiceLevel& level);

/// Latencies of the completed requests, in their order [s]; a TPOT only of those with two tokens and more.
struct RequestLatencies {
  std::vector<double> ttft, tpot, e2el, queue;
};
RequestLatencies latencies_of(const ServingRun& run, const Traffic& traffic);

}  // namespace inferometer
