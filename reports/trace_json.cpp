#include <algorithm>
#include <nlohmann/json.hpp>

#include "reports/reports.hpp"

namespace inferometer {
namespace {

using Json = nlohmann::ordered_json;

double microseconds(Nanoseconds t) { return std::chrono::duration<double, std::micro>(t).count(); }

std::string_view category(SpanKind kind) {
  switch (kind) {
    case SpanKind::kernel:
      return "kernel";
    case SpanKind::gap:
      return "gap";
    case SpanKind::host:
      return "host";
    case SpanKind::copy:
      return "copy";
    case SpanKind::sampling:
      return "sampling";
  }
  return "";
}

void add_timeline(Json& events, const std::string& title, int process, const VariantResult& v,
                  const Timeline& timeline, const std::vector<Estimate>* estimates) {
  events.push_back({{"name", "process_name"}, {"ph", "M"}, {"pid", process}, {"args", {{"name", title}}}});
  for (const Span& span : timeline.spans) {
    Json arguments = Json::object();
    std::string label = span.kernel;
    for (const std::int32_t n : span.nodes) {
      const auto node = static_cast<std::size_t>(n);
      label = v.structure.nodes[node].name;
      arguments["operator"] = span.kernel;
      if (estimates == nullptr) continue;
      const Estimate& e = (*estimates)[node];
      arguments["bound"] = name(e.bound);
      arguments["flops"] = e.flops.value;
      arguments["bytes"] = e.moved.value;
    }
    if (span.samples) {
      arguments["n"] = span.samples->n;
      arguments["p10_us"] = microseconds(span.samples->p10);
      arguments["p90_us"] = microseconds(span.samples->p90);
    }
    for (const auto& [key, value] : span.counters) arguments[key] = value;
    events.push_back({{"name", label},
                      {"cat", category(span.kind)},
                      {"ph", "X"},
                      {"pid", process},
                      {"tid", span.stream},
                      {"ts", microseconds(span.start)},
                      {"dur", microseconds(span.duration)},
                      {"args", std::move(arguments)}});
  }
}

/// Requests as slices (waiting, their prompts, their tokens) and the load of an instance at work as counters.
void add_served(Json& events, const std::string& title, int process, const Served& served) {
  constexpr std::size_t most_requests = 2000;  // what a viewer shows at ease
  const std::vector<RequestRecord>& requests = served.run.requests;
  const std::size_t shown = std::min(most_requests, requests.size());
  const std::string part = shown < requests.size() ? ", the first " + std::to_string(shown) + " of " +
                                                         std::to_string(requests.size()) + " requests"
                                                   : "";
  events.push_back(
      {{"name", "process_name"}, {"ph", "M"}, {"pid", process}, {"args", {{"name", title + part}}}});
  const auto slice = [&](const char* what, std::size_t request, Nanoseconds start, Nanoseconds end) {
    for (const bool begins : {true, false})
      events.push_back({{"name", what},
                        {"cat", "request"},
                        {"ph", begins ? "b" : "e"},
                        {"pid", process},
                        {"tid", 0},
                        {"id", request},
                        {"ts", microseconds(begins ? start : end)}});
  };
  for (std::size_t i = 0; i < shown; ++i) {
    const RequestRecord& r = requests[i];
    if (!r.completed()) continue;
    slice("waiting", i, r.arrival, r.admitted);
    slice("prompt", i, r.admitted, r.first_token);
    if (r.last_token > r.first_token) slice("tokens", i, r.first_token, r.last_token);
  }
  const LoadTimeline& load = served.run.load;
  for (std::size_t i = 0; i < load.samples().size(); ++i) {
    const LoadTimeline::Sample& s = load.samples()[i];
    const double seconds = std::max(s.seconds, 1e-12);
    const std::pair<const char*, double> counters[] = {{"running", s.running / seconds},
                                                       {"waiting", s.waiting / seconds},
                                                       {"KV blocks in use", s.kv_used / seconds}};
    for (const auto& [what, value] : counters)
      events.push_back({{"name", what},
                        {"ph", "C"},
                        {"pid", process},
                        {"ts", microseconds(load.interval() * static_cast<std::int64_t>(i))},
                        {"args", {{"value", s.seconds > 0 ? value : 0}}}});
  }
}

}  // namespace

std::string trace_json(const StudyResult& study) {
  Json events = Json::array();
  int process = 0;
  for (const VariantResult& v : study.variants) {
    for (const PhaseResult& p : v.phases) {
      const std::string title = v.name + ", " + p.name + ", ";
      add_timeline(events, title + "predicted", ++process, v, p.prediction.timeline, &p.prediction.nodes);
      if (p.profile) add_timeline(events, title + "measured", ++process, v, *p.profile, nullptr);
    }
    if (!v.serving) continue;
    add_served(events, v.name + ", predicted", ++process, v.serving->predicted);
    if (v.serving->executed) add_served(events, v.name + ", executed", ++process, *v.serving->executed);
  }
  return Json{{"displayTimeUnit", "ms"}, {"traceEvents", std::move(events)}}.dump() + "\n";
}

}  // namespace inferometer
