#include "traffic/make_traffic.hpp"

#include <algorithm>
#include <cmath>

#include "traffic/draw.hpp"

namespace inferometer {
namespace {

/// Lognormal lengths of a mean and a coefficient of variation, at least one token.
void draw_lengths(const LengthSpec& spec, Draws64 draws, std::vector<Request>& requests,
                  std::int32_t Request::*length) {
  const double variance = natural_log(1 + spec.cv * spec.cv);
  const double location = natural_log(spec.mean) - variance / 2, spread = std::sqrt(variance);
  for (Request& r : requests) {
    const double drawn = spec.cv == 0 ? spec.mean : exponential_of(location + spread * draws.normal());
    r.*length = static_cast<std::int32_t>(std::clamp(drawn + 0.5, 1.0, 1e8));
  }
}

void draw_arrivals(const ArrivalSpec& spec, Draws64 draws, std::vector<Request>& requests) {
  const double mean_gap = 1e9 / spec.rate, shape = 1 / (spec.cv * spec.cv);
  double now = 0;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    requests[i].arrival = Nanoseconds{static_cast<std::int64_t>(now)};
    const double gap = spec.process == ArrivalProcess::poisson ? draws.exponential()
                       : spec.process == ArrivalProcess::gamma ? draws.gamma(shape) / shape
                                                               : 1.0;
    now += gap * mean_gap;
  }
}

std::string number(double value) {
  std::string text = std::to_string(value);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text;
}

std::string described(const TrafficSpec& spec, const Trace& trace, std::size_t requests) {
  std::string text = std::to_string(requests) + " requests";
  text += spec.file.empty() ? " drawn" : " of " + spec.file.substr(spec.file.find_last_of('/') + 1);
  const auto lengths = [&](const char* what, const std::optional<LengthSpec>& l) {
    if (l) text += ", " + std::string{what} + " of " + number(l->mean) + " tokens (cv " + number(l->cv) + ")";
  };
  lengths("prompts", spec.prompt);
  lengths("outputs", spec.output);
  const ArrivalSpec& a = spec.arrivals;
  text += ", arrivals " + std::string{name(a.process)};
  if (a.rate > 0) text += " at " + number(a.rate) + "/s";
  if (a.process == ArrivalProcess::gamma) text += " (cv " + number(a.cv) + ")";
  if (a.concurrency > 0) text += " with " + std::to_string(a.concurrency) + " in the system";
  if (trace.bad_rows > 0)
    text += "; " + std::to_string(trace.bad_rows) +
            " rows of the file are no requests, the first: " + to_string(trace.first_bad.front());
  return text;
}

}  // namespace

Result<Traffic> make_traffic(const TrafficSpec& spec, Trace trace, std::uint64_t seed) {
  std::vector<Request>& requests = trace.traffic.requests;
  if (spec.file.empty()) {
    if (!spec.prompt || !spec.output || spec.requests == 0)
      return failure("without a file, prompt_tokens, output_tokens and requests are needed");
    requests.resize(static_cast<std::size_t>(spec.requests));
  } else if (spec.requests > 0 && static_cast<std::size_t>(spec.requests) < requests.size()) {
    requests.resize(static_cast<std::size_t>(spec.requests));
  }
  if (spec.prompt) {
    draw_lengths(*spec.prompt, Draws64(seed, "prompt tokens"), requests, &Request::prompt_tokens);
    for (Request& r : requests) r.blocks = 0;  // other prompts than the file's
  }
  if (spec.output)
    draw_lengths(*spec.output, Draws64(seed, "output tokens"), requests, &Request::output_tokens);
  switch (spec.arrivals.process) {
    case ArrivalProcess::recorded:
      if (!trace.has_arrivals)
        return failure(
            "the file has no arrivals; set arrivals.process to poisson, gamma, deterministic or closed");
      break;
    case ArrivalProcess::closed:
      trace.traffic.concurrency = spec.arrivals.concurrency;
      break;
    default:
      draw_arrivals(spec.arrivals, Draws64(seed, "arrivals"), requests);
  }
  trace.traffic.source = described(spec, trace, requests.size());
  return std::move(trace.traffic);
}

}  // namespace inferometer
