#include "reports/trace_served.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

namespace inferometer {
namespace {

using Json = nlohmann::ordered_json;

double microseconds(Nanoseconds t) { return std::chrono::duration<double, std::micro>(t).count(); }

void name_process(Json& events, int process, const std::string& title) {
  events.push_back({{"name", "process_name"}, {"ph", "M"}, {"pid", process}, {"args", {{"name", title}}}});
}

/// Slices of one request, which may overlap those of others.
void add_slice(Json& events, int process, std::string_view what, std::string_view category, std::size_t id,
               Nanoseconds start, Nanoseconds end, const Json& arguments = Json::object()) {
  for (const bool begins : {true, false})
    events.push_back({{"name", what},
                      {"cat", category},
                      {"ph", begins ? "b" : "e"},
                      {"pid", process},
                      {"tid", 0},
                      {"id", id},
                      {"ts", microseconds(begins ? start : end)},
                      {"args", begins ? arguments : Json::object()}});
}

void add_requests(Json& events, int process, const std::string& title,
                  const std::vector<RequestRecord>& requests) {
  constexpr std::size_t most_requests = 2000;  // what a viewer shows at ease
  const std::size_t shown = std::min(most_requests, requests.size());
  name_process(
      events, process,
      title + (shown < requests.size() ? fmt::format(", the first {} of {} requests", shown, requests.size())
                                       : ""));
  for (std::size_t i = 0; i < shown; ++i) {
    const RequestRecord& r = requests[i];
    if (!r.completed()) continue;
    add_slice(events, process, "waiting", "request", i, r.arrival, r.admitted);
    add_slice(events, process, "prompt", "request", i, r.admitted, r.first_token);
    if (r.last_token > r.first_token)
      add_slice(events, process, "tokens", "request", i, r.first_token, r.last_token);
  }
}

void add_load(Json& events, int process, const LoadTimeline& load) {
  for (std::size_t i = 0; i < load.samples().size(); ++i) {
    const LoadTimeline::Sample mean = load.samples()[i].mean();
    const std::pair<const char*, double> counters[] = {
        {"running", mean.running}, {"waiting", mean.waiting}, {"KV blocks in use", mean.kv_used}};
    for (const auto& [what, value] : counters)
      events.push_back({{"name", what},
                        {"ph", "C"},
                        {"pid", process},
                        {"ts", microseconds(load.interval() * static_cast<std::int64_t>(i))},
                        {"args", {{"value", value}}}});
  }
}

/// Resources of a process as its threads, by their names in the order in which they come.
class Threads {
 public:
  Threads(Json& events, int process) : events_(events), process_(process) {}
  int of(const std::string& name) {
    const auto [known, is_new] = known_.try_emplace(name, static_cast<int>(known_.size()) + 1);
    if (is_new)
      events_.push_back({{"name", "thread_name"},
                         {"ph", "M"},
                         {"pid", process_},
                         {"tid", known->second},
                         {"args", {{"name", name}}}});
    return known->second;
  }
  void add(const std::string& thread, std::string_view what, std::string_view category, Nanoseconds start,
           Nanoseconds takes, Json arguments = Json::object()) {
    const int tid = of(thread);
    events_.push_back({{"name", what},
                       {"cat", category},
                       {"ph", "X"},
                       {"pid", process_},
                       {"tid", tid},
                       {"ts", microseconds(start)},
                       {"dur", microseconds(takes)},
                       {"args", std::move(arguments)}});
  }

 private:
  Json& events_;
  int process_;
  std::map<std::string, int> known_;
};

std::string described(const ServedSpan& span) {
  const Attended& attended = span.totals.attended;
  if (span.steps > 1) return fmt::format("{} decode steps", span.steps);
  if (attended.prompts.count == 0) return "decode";
  return attended.single.count == 0 ? "prefill" : "mixed";
}

Json arguments_of(const ServedSpan& span) {
  const AttendedLengths &single = span.totals.attended.single, &prompts = span.totals.attended.prompts;
  return {{"decoding_sequences", single.count},
          {"their_tokens", single.all},
          {"prompts", prompts.count},
          {"prompt_tokens_computed", prompts.fresh},
          {"exchange_us", microseconds(span.exchange)}};
}

void add_spans(Json& events, int process, const std::string& title, const PoolRun& pool) {
  const std::vector<ServedSpan>& spans = pool.spans.spans();
  if (spans.empty()) return;
  std::int32_t parts = 1;
  for (const ServedSpan& s : spans) parts = std::max(parts, s.part + 1);
  name_process(events, process,
               title + (pool.name.empty() ? "" : ", pool " + pool.name) + ": instances" +
                   (pool.spans.full() ? fmt::format(", the first {} spans", spans.size()) : ""));
  Threads threads(events, process);
  for (const ServedSpan& s : spans) {
    const std::string instance = fmt::format("instance {}", s.instance);
    const std::string part = parts > 1 ? fmt::format("{}, part {}", instance, s.part) : instance;
    if (s.kind == ServedSpan::Kind::swap) {
      threads.add((pool.ranks > 1 ? part : instance) + ", host link", "swap", "swap", s.start,
                  s.end - s.start);
    } else if (s.kind == ServedSpan::Kind::bubble) {
      threads.add(part, "bubble", "bubble", s.start, s.end - s.start);
    } else {
      threads.add(part, described(s), "step", s.start, s.end - s.start, arguments_of(s));
      // Exchanges of all layers together, which lie between the layers' kernels.
      if (s.exchange > Nanoseconds{0})
        threads.add(part + ", links", "exchanges of the step", "collective", s.start, s.exchange);
    }
  }
}

/// An instance by its number through all pools, as the spans of its pool call it.
std::string instance_named(const std::vector<PoolRun>& pools, std::size_t number) {
  for (const PoolRun& pool : pools) {
    const auto instances = static_cast<std::size_t>(pool.instances),
               ranks = static_cast<std::size_t>(pool.ranks);
    if (number < instances) {
      const std::string name = fmt::format("{} {}", pool.name, number / ranks);
      return ranks > 1 ? fmt::format("{}, part {}", name, number % ranks) : name;
    }
    number -= instances;
  }
  return std::to_string(number);
}

void add_transfers(Json& events, int process, const std::string& title, const ServingRun& run) {
  const std::vector<SentCache>& sent = run.transfers.sent.spans();
  name_process(events, process, title + ": KV transfers");
  for (const SentCache& s : sent)
    add_slice(events, process, instance_named(run.pools, s.from) + " to " + instance_named(run.pools, s.to),
              "transfer", static_cast<std::size_t>(s.request), s.start, s.there, {{"bytes", s.bytes.value}});
}

}  // namespace

void add_served(Json& events, int& process, const std::string& title, const ServingRun& run) {
  add_requests(events, ++process, title, run.requests);
  add_load(events, process, run.load);
  if (run.pools.empty()) add_spans(events, ++process, title, run);
  for (const PoolRun& pool : run.pools) add_spans(events, ++process, title, pool);
  if (!run.transfers.sent.spans().empty()) add_transfers(events, ++process, title, run);
}

}  // namespace inferometer
