#include "traffic/make_traffic.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "traffic/draw.hpp"
#include "traffic/draw_sessions.hpp"

namespace inferometer {
namespace {

/// Lognormal lengths are rounded, at least one token (which raises the mean where that is near 1).
void draw_lengths(const LengthSpec& spec, Draws64 draws, std::vector<Request>& requests,
                  std::int32_t Request::*length) {
  if (spec.most > 0) {
    const auto many = static_cast<double>(spec.most - spec.least + 1);
    for (Request& r : requests)
      r.*length = static_cast<std::int32_t>(spec.least + static_cast<std::int64_t>(many * draws.uniform()));
    return;
  }
  const double variance = natural_log(1 + spec.cv * spec.cv);
  const double location = natural_log(spec.mean) - variance / 2, spread = std::sqrt(variance);
  for (Request& r : requests) {
    const double drawn = spec.cv == 0 ? spec.mean : exponential_of(location + spread * draws.normal());
    r.*length = static_cast<std::int32_t>(std::clamp(drawn + 0.5, 1.0, 1e8));
  }
}

/// Of the requests that wait for no other.
Done draw_arrivals(const ArrivalSpec& spec, Draws64 draws, std::vector<Request>& requests) {
  const double mean_gap = 1e9 / spec.rate, shape = 1 / (spec.cv * spec.cv);
  double now = 0;
  for (Request& r : requests) {
    if (r.after >= 0) continue;
    if (now > 8e18) return failure("the requests arrive over more than 250 years");
    r.arrival = Nanoseconds{static_cast<std::int64_t>(now)};
    const double gap = spec.process == ArrivalProcess::poisson ? draws.exponential()
                       : spec.process == ArrivalProcess::gamma ? draws.gamma(shape) / shape
                                                               : 1.0;
    now += gap * mean_gap;
  }
  return std::monostate{};
}

std::string described(const TrafficSpec& spec, const RequestTrace& trace) {
  const std::vector<Request>& requests = trace.traffic.requests;
  std::string text = fmt::format("{} requests", requests.size());
  text += spec.file.empty() ? " drawn" : " of " + spec.file.substr(spec.file.find_last_of('/') + 1);
  const auto turns =
      std::count_if(requests.begin(), requests.end(), [](const Request& r) { return r.after >= 0; });
  if (turns > 0) text += fmt::format(" in {} sessions", std::ssize(requests) - turns);
  if (spec.sessions)
    text += fmt::format(" of {} turns ({}), think time {} s", spec.sessions->turns,
                        name(spec.sessions->distribution), spec.sessions->think_time.count());
  const auto lengths = [&](const char* what, const std::optional<LengthSpec>& l) {
    if (l && l->most > 0) text += fmt::format(", {} of {} to {} tokens (uniform)", what, l->least, l->most);
    if (l && l->most == 0) text += fmt::format(", {} of {} tokens (cv {})", what, l->mean, l->cv);
  };
  lengths(spec.sessions ? "new tokens of a prompt" : "prompts", spec.prompt);
  lengths("outputs", spec.output);
  if (spec.shared_prefix)
    text += fmt::format(", {:.6g} % begin with the same {} tokens", 100 * spec.shared_prefix->share,
                        spec.shared_prefix->tokens);
  const ArrivalSpec& a = spec.arrivals;
  text += fmt::format(", arrivals {}", name(a.process));
  if (a.rate > 0) text += fmt::format(" at {}/s", a.rate);
  if (a.process == ArrivalProcess::gamma) text += fmt::format(" (cv {})", a.cv);
  if (a.concurrency > 0) text += fmt::format(" with {} in the system", a.concurrency);
  if (spec.client_delay.count() > 0)
    text += fmt::format(", {} ms between client and engine", 1e3 * spec.client_delay.count());
  if (trace.images > 0) text += fmt::format("; {} images are left out", trace.images);
  if (trace.bad_rows > 0) {
    text += fmt::format("; {} rows of the file are no requests", trace.bad_rows);
    constexpr std::size_t listed = 5;
    const std::vector<std::string>& rows = trace.traffic.bad_rows;
    for (std::size_t i = 0; i < std::min(listed, rows.size()); ++i) text += (i == 0 ? ": " : ", ") + rows[i];
    if (rows.size() > listed) text += ", ... (all in results.json)";
  }
  return text;
}

/// Lengths instead of the file's, or where there is no file.
Done replace_lengths(const TrafficSpec& spec, std::uint64_t seed, Traffic& traffic) {
  std::vector<Request>& requests = traffic.requests;
  if (!spec.file.empty() && (spec.prompt || spec.output) &&
      std::any_of(requests.begin(), requests.end(), [](const Request& r) { return r.after >= 0; }))
    return failure("the file has sessions, whose prompts hold what was said before; drawn lengths would not");
  if (spec.prompt) {
    draw_lengths(*spec.prompt, Draws64(seed, "prompt tokens"), requests, &Request::prompt_tokens);
    for (Request& r : requests) r.first_block = 0, r.blocks = 0;  // other prompts than the file's
    traffic.blocks.clear();
    traffic.block_tokens = 0;
  }
  if (spec.output)
    draw_lengths(*spec.output, Draws64(seed, "output tokens"), requests, &Request::output_tokens);
  return std::monostate{};
}

}  // namespace

Result<Traffic> make_traffic(const TrafficSpec& spec, RequestTrace trace, std::uint64_t seed) {
  Traffic& traffic = trace.traffic;
  if (spec.file.empty()) {
    if (!spec.prompt || !spec.output || spec.requests == 0)
      return failure("without a file, prompt_tokens, output_tokens and requests are needed");
    traffic.requests.resize(static_cast<std::size_t>(spec.requests));
  } else if (spec.requests > 0 && spec.requests < std::ssize(traffic.requests)) {
    traffic.requests.resize(static_cast<std::size_t>(spec.requests));
  }
  if (Done done = replace_lengths(spec, seed, traffic); !done) return failure(done.error());
  if (spec.sessions || spec.shared_prefix) {
    if (!spec.file.empty()) return failure("sessions and shared_prefix are drawn; a file has its own");
    if (Done done = draw_sessions(spec, seed, traffic); !done) return failure(done.error());
  }
  switch (spec.arrivals.process) {
    case ArrivalProcess::recorded:
      if (!trace.has_arrivals)
        return failure(
            "the file has no arrivals; set arrivals.process to poisson, gamma, deterministic or closed");
      break;
    case ArrivalProcess::closed:
      traffic.concurrency = spec.arrivals.concurrency;
      break;
    default:
      if (Done done = draw_arrivals(spec.arrivals, Draws64(seed, "arrivals"), traffic.requests); !done)
        return failure(done.error());
  }
  traffic.client_delay = spec.client_delay;
  for (const Error& e : trace.first_bad)
    traffic.bad_rows.push_back(fmt::format("line {}: {}", e.where.line, e.message));
  traffic.source = described(spec, trace);
  return std::move(traffic);
}

}  // namespace inferometer
