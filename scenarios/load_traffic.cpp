#include "scenarios/load_traffic.hpp"

#include <cmath>

#include "model/read_name.hpp"
#include "scenarios/files.hpp"

namespace inferometer {
namespace {

constexpr std::int64_t most_requests = 100'000'000;

std::optional<LengthSpec> read_length(Reader& in, const char* key) {
  auto section = in.maybe_mapping(key);
  if (!section) return std::nullopt;
  if (section->has("min") || section->has("max")) {
    const LengthSpec spec{.least = section->required<std::int64_t>("min"),
                          .most = section->required<std::int64_t>("max")};
    if (spec.least < 1 || spec.least > 10'000'000) section->error("min", "must be 1 to 10000000 tokens");
    if (spec.most < spec.least || spec.most > 10'000'000)
      section->error("max", "must be min to 10000000 tokens");
    section->reject_unknown_keys();
    return spec;
  }
  const LengthSpec spec{.mean = section->required<double>("mean"), .cv = section->optional<double>("cv", 0)};
  if (!(spec.mean >= 1 && spec.mean <= 1e7)) section->error("mean", "must be 1 to 10000000 tokens");
  if (!(spec.cv >= 0 && spec.cv <= 10)) section->error("cv", "must be 0 to 10");
  section->reject_unknown_keys();
  return spec;
}

ArrivalSpec read_arrivals(Reader in) {
  ArrivalSpec spec;
  spec.process = read_name<ArrivalProcess>(in, "process");
  const bool drawn = spec.process == ArrivalProcess::poisson || spec.process == ArrivalProcess::gamma ||
                     spec.process == ArrivalProcess::deterministic;
  if (drawn) {
    spec.rate = in.required<double>("requests_per_second");
    if (!(spec.rate > 0 && spec.rate <= 1e9)) in.error("requests_per_second", "must be above 0, up to 1e9");
  }
  if (spec.process == ArrivalProcess::gamma) {
    spec.cv = in.required<double>("cv");
    if (!(spec.cv >= 0.01 && spec.cv <= 100)) in.error("cv", "must be 0.01 to 100");
  }
  if (spec.process == ArrivalProcess::closed) {
    spec.concurrency = in.required<std::int64_t>("concurrency");
    if (spec.concurrency < 1 || spec.concurrency > most_requests)
      in.error("concurrency", "must be 1 to 100000000");
  }
  in.reject_unknown_keys();
  return spec;
}

SessionSpec read_sessions(Reader in) {
  SessionSpec spec{.turns = in.required<double>("turns")};
  const std::string distribution = in.optional<std::string>("distribution", "fixed");
  spec.distribution = name_in<TurnCount>(in, "distribution", distribution).value_or(spec.distribution);
  if (!(spec.turns >= 1 && spec.turns <= 10'000)) {
    in.error("turns", "must be 1 to 10000");
  } else if (spec.distribution == TurnCount::fixed && spec.turns != std::floor(spec.turns)) {
    in.error("turns", "must be a whole number where it is fixed");
  }
  spec.think_time = in.optional<Seconds>("think_time", Seconds{0});
  if (!(spec.think_time.count() >= 0 && spec.think_time.count() <= 1e6))
    in.error("think_time", "must be 0 s to 1000000 s");
  in.reject_unknown_keys();
  return spec;
}

SharedPrefix read_shared_prefix(Reader in) {
  const SharedPrefix spec{.tokens = in.required<std::int64_t>("tokens"),
                          .share = in.optional<double>("share", 1)};
  if (spec.tokens < 1 || spec.tokens > 10'000'000) in.error("tokens", "must be 1 to 10000000");
  if (!(spec.share > 0 && spec.share <= 1)) in.error("share", "must be above 0, up to 1");
  in.reject_unknown_keys();
  return spec;
}

}  // namespace

TrafficSpec read_traffic(Reader in, const std::filesystem::path& folder) {
  TrafficSpec spec;
  const std::size_t before = in.errors().size();
  if (const auto file = in.maybe<std::string>("file"); file && !file->empty()) {
    spec.file = data_path(*file, folder).string();
    std::error_code ignored;
    if (!std::filesystem::is_regular_file(spec.file, ignored)) in.error("file", "no such file: " + spec.file);
  }
  spec.requests = in.optional<std::int64_t>("requests", 0);
  if (spec.requests < 0 || spec.requests > most_requests) in.error("requests", "must be 1 to 100000000");
  spec.prompt = read_length(in, "prompt_tokens");
  spec.output = read_length(in, "output_tokens");
  spec.client_delay = in.optional<Seconds>("client_delay", Seconds{0});
  if (!(spec.client_delay.count() >= 0 && spec.client_delay.count() <= 1000))
    in.error("client_delay", "must be 0 s to 1000 s");
  if (auto arrivals = in.maybe_mapping("arrivals")) spec.arrivals = read_arrivals(*arrivals);
  if (auto sessions = in.maybe_mapping("sessions")) spec.sessions = read_sessions(*sessions);
  if (auto prefix = in.maybe_mapping("shared_prefix")) spec.shared_prefix = read_shared_prefix(*prefix);
  const bool has_blocks = !spec.file.empty() || spec.sessions || spec.shared_prefix;
  if (const auto tokens = in.maybe<std::int64_t>("block_tokens")) {
    spec.block_tokens = *tokens;
    if (*tokens < 1 || *tokens > 1'000'000) in.error("block_tokens", "must be 1 to 1000000");
    if (!has_blocks)
      in.error("block_tokens", "without a file, sessions or shared_prefix no blocks are shared");
  }
  if (!spec.file.empty()) {
    for (const char* key : {"sessions", "shared_prefix"}) {
      if (in.has(key)) in.error(key, "is drawn; a file has its own");
    }
  }
  if (spec.file.empty() && in.errors().size() == before) {
    if (!spec.prompt) in.error("prompt_tokens", "without a file, {mean, cv} or {min, max} are needed");
    if (!spec.output) in.error("output_tokens", "without a file, {mean, cv} or {min, max} are needed");
    if (spec.requests == 0) in.error("requests", "without a file, their number is needed");
    if (spec.arrivals.process == ArrivalProcess::recorded)
      in.error("arrivals", "without a file, there is nothing recorded; a process is needed");
  }
  in.reject_unknown_keys();
  return spec;
}

Result<Traffic> load_traffic(const TrafficSpec& spec, std::uint64_t seed) {
  RequestTrace trace;
  if (!spec.file.empty()) {
    const Result<std::string> text = read_file(spec.file);
    if (!text) return failure(text.error());
    Result<RequestTrace> read = read_trace(*text, spec.file, spec.block_tokens);
    if (!read) return failure(read.error());
    trace = std::move(*read);
  }
  return make_traffic(spec, std::move(trace), seed);
}

bool is_drawn(const TrafficSpec& spec) {
  return spec.file.empty() || spec.arrivals.process != ArrivalProcess::recorded || spec.prompt || spec.output;
}

ServiceLevel read_service_level(Reader in) {
  const ServiceLevel level{.ttft = in.maybe<Seconds>("ttft"),
                           .tpot = in.maybe<Seconds>("tpot"),
                           .e2el = in.maybe<Seconds>("e2el"),
                           .attainment = in.optional<double>("attainment", 0.9)};
  for (const auto& [key, limit] :
       {std::pair{"ttft", level.ttft}, {"tpot", level.tpot}, {"e2el", level.e2el}}) {
    if (limit && limit->count() <= 0) in.error(key, "must be longer than no time");
  }
  if (!(level.attainment > 0 && level.attainment <= 1)) in.error("attainment", "must be above 0, up to 1");
  if (!level.limits()) in.error("attainment", "of what: ttft, tpot or e2el is needed");
  in.reject_unknown_keys();
  return level;
}

}  // namespace inferometer
