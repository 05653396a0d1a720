#include <nlohmann/json.hpp>

#include "reports/reports.hpp"
#include "reports/serving_tables.hpp"
#include "reports/trace_served.hpp"

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
    add_served(events, process, v.name + ", predicted", v.serving->predicted.run);
    if (v.serving->executed)
      add_served(events, process, v.name + ", " + std::string{executed_by(*v.serving)},
                 v.serving->executed->run);
  }
  return Json{{"displayTimeUnit", "ms"}, {"traceEvents", std::move(events)}}.dump() + "\n";
}

}  // namespace inferometer
