#include "reports/point_metrics.hpp"

#include <array>
#include <cmath>

namespace inferometer {
namespace {

using Number = std::optional<double>;

const ServingMetrics* served(const VariantResult& v) {
  return v.serving ? &v.serving->predicted.metrics : nullptr;
}

template <auto Latency, auto Of>
Number ms(const VariantResult& v) {
  const ServingMetrics* m = served(v);
  if (m == nullptr) return {};
  const double value = (m->*Latency.*Of).count() * 1e3;
  return std::isnan(value) ? Number{} : value;
}

template <auto Of>
Number of_traffic(const VariantResult& v) {
  const ServingMetrics* m = served(v);
  return m == nullptr ? Number{} : static_cast<double>(m->*Of);
}

Number output_tokens_per_s(const VariantResult& v) {
  if (const ServingMetrics* m = served(v)) return m->output_throughput;
  const Workload& w = v.settings.workload;
  return static_cast<double>(w.batch * w.output_tokens) / v.predicted_total().count();
}

Number phase_ms(const VariantResult& v, std::string_view phase) {
  for (const PhaseResult& p : v.phases) {
    if (p.name == phase) return p.predicted.count() * 1e3;
  }
  return {};
}

using M = ServingMetrics;
using L = LatencySummary;
constexpr std::array list{
    PointMetric{"prefill_ms", "prefill ms", [](const VariantResult& v) { return phase_ms(v, "prefill"); }},
    PointMetric{"decode_step_ms", "decode step ms",
                [](const VariantResult& v) { return phase_ms(v, "decode"); }},
    PointMetric{"total_ms", "total ms",
                [](const VariantResult& v) {
                  return v.serving ? Number{} : Number{v.predicted_total().count() * 1e3};
                }},
    PointMetric{"ttft_mean_ms", "TTFT mean ms", ms<&M::ttft, &L::mean>},
    PointMetric{"ttft_p99_ms", "TTFT p99 ms", ms<&M::ttft, &L::p99>},
    PointMetric{"tpot_mean_ms", "TPOT mean ms", ms<&M::tpot, &L::mean>},
    PointMetric{"tpot_p99_ms", "TPOT p99 ms", ms<&M::tpot, &L::p99>},
    PointMetric{"itl_p99_ms", "", ms<&M::itl, &L::p99>},
    PointMetric{"e2el_mean_ms", "", ms<&M::e2el, &L::mean>},
    PointMetric{"e2el_p99_ms", "", ms<&M::e2el, &L::p99>},
    PointMetric{"requests_per_s", "requests/s", of_traffic<&M::request_throughput>},
    PointMetric{throughput_column, "output tokens/s", output_tokens_per_s},
    PointMetric{goodput_column, "goodput/s",
                [](const VariantResult& v) { return served(v) ? served(v)->goodput : Number{}; }},
    PointMetric{"within_slo_percent", "within SLO %",
                [](const VariantResult& v) {
                  const Number part = served(v) ? served(v)->slo_attainment : Number{};
                  return part ? Number{100 * *part} : Number{};
                }},
    PointMetric{"rejected_requests", "", of_traffic<&M::rejected>},
    PointMetric{"preemptions", "", of_traffic<&M::preemptions>},
    PointMetric{
        "busy_percent", "",
        [](const VariantResult& v) { return served(v) ? Number{100 * served(v)->utilisation} : Number{}; }},
    PointMetric{"memory_gib", "memory GiB", [](const VariantResult& v) {
                  return Number{static_cast<double>(v.memory.total().value) / (1 << 30)};
                }}};

}  // namespace

std::span<const PointMetric> point_metrics() { return list; }

}  // namespace inferometer
