#include "simulator/serving/metrics.hpp"

#include <algorithm>
#include <limits>
#include <numeric>

#include "model/quantile.hpp"

namespace inferometer {
namespace {

double seconds(Nanoseconds t) { return std::chrono::duration<double>(t).count(); }

/// Quantiles by linear interpolation between order statistics, as NumPy's percentile, which vLLM's benchmark
/// uses.
LatencySummary summary_of(std::vector<double> values) {
  if (values.empty()) {
    const Seconds none{std::numeric_limits<double>::quiet_NaN()};
    return {none, none, none, none, none};
  }
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
  std::sort(values.begin(), values.end());
  const auto at = [&](double q) { return Seconds{quantile_of_sorted(values, q)}; };
  return {Seconds{mean}, at(0.5), at(0.9), at(0.95), at(0.99)};
}

LatencySummary summary_of(const DurationHistogram& of) {
  if (of.count() == 0) return summary_of(std::vector<double>{});
  return {of.mean(), of.quantile(0.5), of.quantile(0.9), of.quantile(0.95), of.quantile(0.99)};
}

LatencySummary later(const LatencySummary& l, Seconds by) {
  return {l.mean + by, l.p50 + by, l.p90 + by, l.p95 + by, l.p99 + by};
}

/// Counts what a completed request misses. returns  whether that is nothing
bool within(const RequestTimes& t, Seconds client_delay, const ServiceLevel& level, SloMisses& missed) {
  bool good = true;
  const auto judge = [&](Seconds value, const std::optional<Seconds>& limit, double& misses) {
    if (!limit || value <= *limit) return;
    misses += 1;
    good = false;
  };
  judge(t.ttft + client_delay, level.ttft, missed.ttft);
  judge(t.tpot.value_or(Seconds{0}), level.tpot, missed.tpot);
  judge(t.e2el + client_delay, level.e2el, missed.e2el);
  return good;
}

PoolMetrics metrics_of(const PoolRun& run, double duration) {
  Seconds busy{0};
  PoolMetrics m{.name = run.name,
                .device = run.device,
                .role = run.role,
                .instances = run.instances,
                .kv_blocks = run.kv_blocks,
                .kv_peak = run.kv_peak,
                .steps = run.steps,
                .preemptions = run.preemptions,
                .prompt_tokens = run.prompt_tokens,
                .output_tokens = run.output_tokens};
  for (const LoadTimeline::Sample& s : run.load.samples()) {
    busy += Seconds{s.seconds};
    m.running += s.running;
    m.waiting += s.waiting;
  }
  if (busy.count() > 0) {
    m.running /= busy.count();
    m.waiting /= busy.count();
  }
  if (duration > 0) m.utilisation = seconds(run.busy) / duration / static_cast<double>(run.instances);
  return m;
}

/// Over the instances of those pools that swapped.
std::optional<SwapMetrics> swaps_of(const ServingRun& run, double duration) {
  if (run.swaps.out.value == 0) return std::nullopt;
  std::int64_t instances = run.pools.empty() ? run.instances : 0;
  for (const PoolRun& pool : run.pools) instances += pool.swaps.out.value > 0 ? pool.instances : 0;
  const double time = seconds(run.swaps.time);
  return SwapMetrics{.out = run.swaps.out,
                     .in = run.swaps.in,
                     .time = Seconds{time},
                     .part = duration > 0 ? time / duration / static_cast<double>(instances) : 0};
}

}  // namespace

RequestTimes times_of(const RequestRecord& record, const Request& request) {
  const auto between = [](Nanoseconds a, Nanoseconds b) { return Seconds{seconds(b - a)}; };
  RequestTimes times{.ttft = between(record.arrival, record.first_token),
                     .e2el = between(record.arrival, record.last_token),
                     .queue = between(record.arrival, record.admitted),
                     .tpot = {}};
  if (request.output_tokens > 1)
    times.tpot = between(record.first_token, record.last_token) / (request.output_tokens - 1);
  return times;
}

bool is_good(const RequestTimes& times, Seconds client_delay, const ServiceLevel& level) {
  SloMisses missed;
  return within(times, client_delay, level, missed);
}

RequestLatencies latencies_of(const ServingRun& run, const Traffic& traffic) {
  RequestLatencies all;
  for (std::size_t i = 0; i < run.requests.size(); ++i) {
    if (!run.requests[i].completed()) continue;
    const RequestTimes t = times_of(run.requests[i], traffic.requests[i]);
    all.ttft.push_back(t.ttft.count());
    all.e2el.push_back(t.e2el.count());
    all.queue.push_back(t.queue.count());
    if (t.tpot) all.tpot.push_back(t.tpot->count());
  }
  return all;
}

ServingMetrics metrics_of(const ServingRun& run, const Traffic& traffic, const ServiceLevel& level) {
  ServingMetrics m{.preemptions = run.preemptions,
                   .kv_blocks = run.kv_blocks,
                   .kv_peak = run.kv_peak,
                   .steps = run.steps,
                   .jumped_steps = run.jumped_steps};
  Nanoseconds first{std::numeric_limits<std::int64_t>::max()}, last{0};
  std::int64_t outputs = 0, prompts = 0, good = 0;
  for (std::size_t i = 0; i < run.requests.size(); ++i) {
    const RequestRecord& r = run.requests[i];
    if (r.arrival != RequestRecord::never) first = std::min(first, r.arrival);
    m.rejected += r.rejected ? 1 : 0;
    if (!r.completed()) continue;
    ++m.completed;
    last = std::max(last, r.last_token);
    outputs += traffic.requests[i].output_tokens;
    prompts += traffic.requests[i].prompt_tokens;
    good += within(times_of(r, traffic.requests[i]), traffic.client_delay, level, m.missed) ? 1 : 0;
  }
  RequestLatencies all = latencies_of(run, traffic);
  m.ttft = summary_of(std::move(all.ttft));
  m.tpot = summary_of(std::move(all.tpot));
  m.e2el = summary_of(std::move(all.e2el));
  m.queue = summary_of(std::move(all.queue));
  m.client_ttft = later(m.ttft, traffic.client_delay);
  m.client_e2el = later(m.e2el, traffic.client_delay);
  m.itl = summary_of(run.itl);
  const double duration = m.completed > 0 ? seconds(last - first) : 0;
  const auto rate = [&](std::int64_t n) { return duration > 0 ? static_cast<double>(n) / duration : 0; };
  m.request_throughput = rate(m.completed);
  m.output_throughput = rate(outputs);
  m.total_token_throughput = rate(outputs + prompts);
  if (level.limits()) {
    const auto ended = static_cast<double>(std::max<std::int64_t>(1, m.completed + m.rejected));
    m.goodput = rate(good);
    m.slo_attainment = static_cast<double>(good) / ended;
    m.missed.rejected = static_cast<double>(m.rejected);
    for (double* part : {&m.missed.ttft, &m.missed.tpot, &m.missed.e2el, &m.missed.rejected}) *part /= ended;
  }
  m.utilisation = duration > 0 ? seconds(run.busy) / duration / static_cast<double>(run.instances) : 0;
  if (run.parts_time > Nanoseconds{0}) m.bubbles = 1 - seconds(run.parts_busy) / seconds(run.parts_time);
  m.swaps = swaps_of(run, duration);
  const std::int64_t needed = run.prompt_tokens + run.prefix_hit_tokens;
  m.prefix_hit_rate =
      needed > 0 ? static_cast<double>(run.prefix_hit_tokens) / static_cast<double>(needed) : 0;
  m.simulated_s = duration;
  for (const PoolRun& pool : run.pools) m.pools.push_back(metrics_of(pool, duration));
  const bool hands_over = std::any_of(run.pools.begin(), run.pools.end(),
                                      [](const PoolRun& p) { return p.role == PoolRole::prefill; });
  const KvTransfers& t = run.transfers;
  if (hands_over)
    m.transfers = {.transfers = t.time.count(),
                   .bytes = t.bytes,
                   .tokens_there = t.tokens_there,
                   .time = summary_of(t.time),
                   .delay = summary_of(t.delay)};
  return m;
}

}  // namespace inferometer
