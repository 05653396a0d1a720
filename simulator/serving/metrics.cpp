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

/// Counts what a completed request misses. returns  whether that is nothing
bool within(const RequestRecord& r, std::int32_t output_tokens, const ServiceLevel& level,
            SloMisses& missed) {
  const double first = seconds(r.first_token - r.arrival), all = seconds(r.last_token - r.arrival);
  const double tpot = output_tokens > 1 ? (all - first) / (output_tokens - 1) : 0;
  bool good = true;
  const auto judge = [&](double value, const std::optional<Seconds>& limit, double& misses) {
    if (!limit || value <= limit->count()) return;
    misses += 1;
    good = false;
  };
  judge(first, level.ttft, missed.ttft);
  judge(tpot, level.tpot, missed.tpot);
  judge(all, level.e2el, missed.e2el);
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

}  // namespace

bool is_good(const RequestRecord& record, std::int32_t output_tokens, const ServiceLevel& level) {
  SloMisses missed;
  return within(record, output_tokens, level, missed);
}

RequestLatencies latencies_of(const ServingRun& run, const Traffic& traffic) {
  RequestLatencies all;
  for (std::size_t i = 0; i < run.requests.size(); ++i) {
    const RequestRecord& r = run.requests[i];
    if (!r.completed()) continue;
    all.ttft.push_back(seconds(r.first_token - r.arrival));
    all.e2el.push_back(seconds(r.last_token - r.arrival));
    all.queue.push_back(seconds(r.admitted - r.arrival));
    if (const std::int32_t tokens = traffic.requests[i].output_tokens; tokens > 1)
      all.tpot.push_back(seconds(r.last_token - r.first_token) / (tokens - 1));
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
    good += within(r, traffic.requests[i].output_tokens, level, m.missed) ? 1 : 0;
  }
  RequestLatencies all = latencies_of(run, traffic);
  m.ttft = summary_of(std::move(all.ttft));
  m.tpot = summary_of(std::move(all.tpot));
  m.e2el = summary_of(std::move(all.e2el));
  m.queue = summary_of(std::move(all.queue));
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
