#include "reports/served_csv.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "reports/serving_tables.hpp"

namespace inferometer {
namespace {

/// In quotes where a comma or a quote is in it.
std::string cell(const std::string& text) {
  if (text.find_first_of(",\"\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string{"\"\""} : std::string{c};
  return quoted + "\"";
}

double seconds(Nanoseconds t) { return std::chrono::duration<double>(t).count(); }

void add_requests(std::string& csv, const std::string& run, const ServingResult& s, const Served& served) {
  const auto out = std::back_inserter(csv);
  for (std::size_t i = 0; i < std::min(most_csv_requests, served.run.requests.size()); ++i) {
    const RequestRecord& r = served.run.requests[i];
    const Request& asked = s.traffic->requests[i];
    fmt::format_to(out, "{},{},{:.6f},", run, i, seconds(r.arrival));
    if (r.completed()) {
      const RequestTimes t = times_of(r, asked);
      const std::string tpot = t.tpot ? fmt::format("{:.4f}", 1e3 * t.tpot->count()) : "";
      const Seconds delay = s.traffic->client_delay;
      const std::string_view within = !s.level.limits() ? "" : is_good(t, delay, s.level) ? "yes" : "no";
      fmt::format_to(out, "{:.4f},{},{:.4f},{:.4f},{:.4f},{:.4f},{},", 1e3 * t.ttft.count(), tpot,
                     1e3 * t.e2el.count(), 1e3 * t.queue.count(), 1e3 * (t.ttft + delay).count(),
                     1e3 * (t.e2el + delay).count(), within);
    } else {
      csv += s.level.limits() ? ",,,,,,no," : ",,,,,,,";
    }
    fmt::format_to(out, "{},{},{},{}\n", asked.prompt_tokens, asked.output_tokens, r.preemptions,
                   r.rejected ? "rejected" : "completed");
  }
}

void add_load(std::string& csv, const std::string& run, const PoolRun& pool) {
  const double interval = seconds(pool.load.interval());
  const auto out = std::back_inserter(csv);
  for (std::size_t i = 0; i < pool.load.samples().size(); ++i) {
    const LoadTimeline::Sample mean = pool.load.samples()[i].mean();
    fmt::format_to(out, "{},{},{:.6f},{:.3f},{:.3f},{:.1f},{:.6f},{}\n", run, cell(pool.name),
                   interval * static_cast<double>(i), mean.running, mean.waiting, mean.kv_used, mean.seconds,
                   mean.output_tokens);
  }
}

/// The first two cells of a run's rows.
std::string run_cells(const VariantResult& v, std::string_view by) {
  return cell(v.name) + "," + std::string{by};
}

}  // namespace

std::string requests_csv(const StudyResult& study) {
  std::string csv =
      "variant,by,request,arrival_s,ttft_ms,tpot_ms,e2el_ms,queue_ms,client_ttft_ms,client_e2el_ms,"
      "within_slo,prompt_tokens,output_tokens,preemptions,outcome\n";
  for_each_served(study, [&](const VariantResult& v, std::string_view by, const Served& served) {
    add_requests(csv, run_cells(v, by), *v.serving, served);
  });
  return csv;
}

std::string timeline_csv(const StudyResult& study) {
  std::string csv = "variant,by,pool,start_s,running,waiting,kv_blocks_used,busy_s,output_tokens\n";
  for_each_served(study, [&](const VariantResult& v, std::string_view by, const Served& served) {
    const std::string run = run_cells(v, by);
    add_load(csv, run, served.run);
    for (const PoolRun& pool : served.run.pools) add_load(csv, run, pool);
  });
  return csv;
}

}  // namespace inferometer
