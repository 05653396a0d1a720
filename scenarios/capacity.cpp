#include "scenarios/capacity.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <mutex>

#include "scenarios/load_traffic.hpp"
#include "scenarios/run_jobs.hpp"
#include "scenarios/sweep.hpp"

namespace inferometer {
namespace {

/// Below a request an hour a server is not called one that serves.
constexpr double least_rate = 1.0 / 3600;

struct Draw {
  std::uint64_t seed = 0;
  Scenario scenario;  ///< with this draw's traffic
  double offered = 0;
};

Errors check_scenario(const Scenario& s) {
  const auto refuse = [&](const char* why) { return Errors{{why, {.file = s.file.string()}}}; };
  if (!s.traffic) return refuse("capacity is of traffic: that is served; the scenario has none");
  if (!s.level.limits()) return refuse("capacity is the rate up to which slo: is met; the scenario has none");
  if (s.traffic->concurrency > 0)
    return refuse("capacity is a rate of arrivals; the traffic's closed loop has none");
  if (offered_rate(*s.traffic) == 0)
    return refuse("capacity is a rate of arrivals; all requests of the traffic arrive at once");
  return {};
}

Result<std::vector<Draw>> draw_traffic(const Scenario& s, std::int64_t count, std::size_t threads) {
  const std::uint64_t first = s.baseline.draws.seed;
  std::vector<Draw> draws(static_cast<std::size_t>(count));
  std::vector<Errors> errors(draws.size());
  run_jobs(draws.size(), threads, [&](std::size_t i) {
    Draw& draw = draws[i];
    draw.seed = first + i;
    draw.scenario = s;
    if (i > 0) {
      Result<Traffic> drawn = load_traffic(s.traffic_spec, draw.seed);
      if (!drawn) {
        errors[i] = drawn.error();
        return;
      }
      draw.scenario.traffic = std::make_shared<const Traffic>(std::move(*drawn));
    }
    draw.offered = offered_rate(*draw.scenario.traffic);
  });
  for (Errors& e : errors) {
    if (!e.empty()) return failure(std::move(e));
  }
  return draws;
}

/// Turns come when the ones before have been answered and thought about, which can be long after the last
/// session began: what is served a second is then less than what is offered, and how much less says how short
/// the traffic is.
Done check_sessions(const LoadEdge& edge, const Draw& draw, double own) {
  constexpr double most = 1.3;
  const auto& requests = draw.scenario.traffic->requests;
  const bool sessions =
      std::any_of(requests.begin(), requests.end(), [](const Request& r) { return r.after >= 0; });
  const double offered = own * draw.offered * edge.load, served = edge.met.request_throughput;
  if (!sessions || edge.kind != LoadEdge::Kind::edge || offered <= most * served) return {};
  return failure(
      fmt::format("sessions go on long after the last one has begun: at the edge {:.3f} requests a second "
                  "are offered and {:.3f} served; more requests are needed, or shorter think times",
                  offered, served));
}

/// Each probe is a run as `run` makes them, with another load.
Result<LoadEdge> edge_of(Variant run, const Calibration& calibration, const Draw& draw,
                         const CapacityOptions& options) {
  const double own = run.edited.serving.load;  // that of a variant is a part of the traffic that it is given
  const auto probe = [&](double load) -> Result<ServingMetrics> {
    run.edited.serving.load = own * load;
    const Result<VariantResult> served = predict_run(run, draw.scenario, calibration);
    if (!served) return failure(served.error());
    if (!served->serving) return failure(served->not_served);
    return served->serving->predicted.metrics;
  };
  return search_load(probe, {.attainment = draw.scenario.level.attainment,
                             .tolerance = options.tolerance,
                             .slowest = std::min(1.0 / 1024, least_rate / (own * draw.offered))});
}

}  // namespace

double offered_rate(const Traffic& traffic) {
  std::int64_t open = 0;
  Nanoseconds first{0}, last{0};
  for (const Request& r : traffic.requests) {
    if (r.after >= 0) continue;
    if (open++ == 0) first = last = r.arrival;
    first = std::min(first, r.arrival);
    last = std::max(last, r.arrival);
  }
  if (open < 2 || last == first) return 0;
  const auto starts = static_cast<double>(open);
  const double gap = std::chrono::duration<double>(last - first).count() / (starts - 1);
  return static_cast<double>(traffic.requests.size()) / starts / gap;
}

Result<CapacityStudy> find_capacities(const Scenario& scenario, const CapacityOptions& options,
                                      std::size_t threads, const Progress& progress) {
  if (Errors errors = check_scenario(scenario); !errors.empty()) return failure(std::move(errors));
  CapacityStudy study{.scenario = scenario, .options = options};
  if (!is_drawn(scenario.traffic_spec)) study.why_one = "the trace's arrivals and lengths are recorded";
  const Result<std::vector<Draw>> draws =
      draw_traffic(scenario, study.why_one.empty() ? options.seeds : 1, threads);
  if (!draws) return failure(draws.error());
  std::vector<SweepPoint> points(points_of(scenario));
  for (std::size_t p = 0; p < points.size(); ++p) {
    points[p] = point_at(scenario, p);
    study.variants.push_back({.name = points[p].run.name, .draws = std::vector<DrawCapacity>(draws->size())});
  }
  std::vector<Errors> errors(points.size() * draws->size());
  std::mutex guard;
  std::size_t ended = 0;
  run_jobs(errors.size(), threads, [&](std::size_t job) {
    const std::size_t p = job / draws->size(), d = job % draws->size();
    const Draw& draw = (*draws)[d];
    errors[job] = points[p].errors;
    if (errors[job].empty()) {
      Variant run = points[p].run;
      run.edited.draws.seed += d;
      for (Pool& pool : run.pools) pool.edited.draws.seed += d;
      const double own = run.edited.serving.load;
      Result<LoadEdge> edge = edge_of(std::move(run), *points[p].calibration, draw, options);
      const Done steady = edge ? check_sessions(*edge, draw, own) : Done{};
      if (!steady) {
        errors[job] = steady.error();
      } else if (edge) {
        study.variants[p].draws[d] = {
            .seed = draw.seed, .offered = own * draw.offered, .edge = std::move(*edge)};
      } else {
        errors[job] = edge.error();
      }
    }
    const std::lock_guard lock(guard);
    progress(points[p].run.name, static_cast<double>(++ended) / static_cast<double>(errors.size()));
  });
  for (std::size_t job = 0; job < errors.size(); ++job) {
    VariantCapacity& v = study.variants[job / draws->size()];
    if (!errors[job].empty() && v.not_served.empty()) v.not_served = in_a_line(errors[job]);
  }
  for (VariantCapacity& v : study.variants) {
    if (!v.not_served.empty()) v.draws.clear();
  }
  return study;
}

}  // namespace inferometer
