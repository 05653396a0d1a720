#include "scenarios/load_traffic.hpp"

#include <cstdlib>

#include "scenarios/files.hpp"

namespace inferometer {
namespace {

constexpr std::int64_t most_requests = 100'000'000;

std::optional<LengthSpec> read_length(Reader& in, const char* key) {
  auto section = in.maybe_mapping(key);
  if (!section) return std::nullopt;
  const LengthSpec spec{.mean = section->required<double>("mean"), .cv = section->optional<double>("cv", 0)};
  if (spec.mean < 1 || spec.mean > 1e7) section->error("mean", "must be 1 to 10000000 tokens");
  if (spec.cv < 0 || spec.cv > 10) section->error("cv", "must be 0 to 10");
  section->reject_unknown_keys();
  return spec;
}

ArrivalSpec read_arrivals(Reader in) {
  ArrivalSpec spec;
  const std::string process = in.required<std::string>("process");
  if (const auto known = value_named<ArrivalProcess>(process)) {
    spec.process = *known;
  } else if (!process.empty()) {
    in.error("process", "\"" + process + "\" is not one of " + expected_names<ArrivalProcess>());
  }
  const bool drawn = spec.process == ArrivalProcess::poisson || spec.process == ArrivalProcess::gamma ||
                     spec.process == ArrivalProcess::deterministic;
  if (drawn) {
    spec.rate = in.required<double>("requests_per_second");
    if (spec.rate <= 0 || spec.rate > 1e9) in.error("requests_per_second", "must be above 0, up to 1e9");
  }
  if (spec.process == ArrivalProcess::gamma) {
    spec.cv = in.required<double>("cv");
    if (spec.cv < 0.01 || spec.cv > 100) in.error("cv", "must be 0.01 to 100");
  }
  if (spec.process == ArrivalProcess::closed) {
    spec.concurrency = in.required<std::int64_t>("concurrency");
    if (spec.concurrency < 1 || spec.concurrency > most_requests)
      in.error("concurrency", "must be 1 to 100000000");
  }
  in.reject_unknown_keys();
  return spec;
}

/// $INFEROMETER_DATA/... without that variable is left as it is, and does not exist.
std::string resolved(const std::string& file, const std::filesystem::path& folder) {
  constexpr std::string_view prefix = "$INFEROMETER_DATA/";
  if (!file.starts_with(prefix)) return (folder / file).string();
  const char* data = std::getenv("INFEROMETER_DATA");
  return data == nullptr ? file : (std::filesystem::path{data} / file.substr(prefix.size())).string();
}

}  // namespace

TrafficSpec read_traffic(Reader in, const std::filesystem::path& folder) {
  TrafficSpec spec;
  const std::size_t before = in.errors().size();
  if (const auto file = in.maybe<std::string>("file"); file && !file->empty()) {
    spec.file = resolved(*file, folder);
    std::error_code ignored;
    if (!std::filesystem::exists(spec.file, ignored)) in.error("file", "no such file: " + spec.file);
  }
  spec.requests = in.optional<std::int64_t>("requests", 0);
  if (spec.requests < 0 || spec.requests > most_requests) in.error("requests", "must be 1 to 100000000");
  spec.prompt = read_length(in, "prompt_tokens");
  spec.output = read_length(in, "output_tokens");
  if (auto arrivals = in.maybe_mapping("arrivals")) spec.arrivals = read_arrivals(*arrivals);
  if (spec.file.empty() && in.errors().size() == before) {
    if (!spec.prompt) in.error("prompt_tokens", "without a file, {mean, cv} are needed");
    if (!spec.output) in.error("output_tokens", "without a file, {mean, cv} are needed");
    if (spec.requests == 0) in.error("requests", "without a file, their number is needed");
    if (spec.arrivals.process == ArrivalProcess::recorded)
      in.error("arrivals", "without a file, there is nothing recorded; a process is needed");
  }
  in.reject_unknown_keys();
  return spec;
}

Result<Traffic> load_traffic(const TrafficSpec& spec, std::uint64_t seed) {
  Trace trace;
  if (!spec.file.empty()) {
    const Result<std::string> text = read_file(spec.file);
    if (!text) return failure(text.error());
    Result<Trace> read = read_trace(*text, spec.file);
    if (!read) return failure(read.error());
    trace = std::move(*read);
  }
  return make_traffic(spec, std::move(trace), seed);
}

ServiceLevel read_service_level(Reader in) {
  const ServiceLevel level{.ttft = in.maybe<Seconds>("ttft"),
                           .tpot = in.maybe<Seconds>("tpot"),
                           .e2el = in.maybe<Seconds>("e2el")};
  for (const auto& [key, limit] :
       {std::pair{"ttft", level.ttft}, {"tpot", level.tpot}, {"e2el", level.e2el}}) {
    if (limit && limit->count() <= 0) in.error(key, "must be longer than no time");
  }
  in.reject_unknown_keys();
  return level;
}

}  // namespace inferometer
