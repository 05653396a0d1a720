#include "served/judge_points.hpp"

#include <algorithm>
#include <cmath>
#include <memory>
#include <set>

#include "model/seeded.hpp"
#include "roofline/fitting/in_parallel.hpp"

namespace inferometer {
namespace {

/// A deployment and the points that were measured on it.
struct Group {
  std::unique_ptr<const Deployment> deployment;  // on the heap: the server refers to it
  std::unique_ptr<PointServer> server;
  std::vector<JudgedPoint*> points;
};

const Calibration& generic_calibration() {
  static const Calibration generic{.source = "generic"};
  return generic;
}

std::vector<Group> groups_of(std::vector<JudgedPoint>& points, const ServingConventions& conventions,
                             const Library& library) {
  std::map<std::string, std::vector<JudgedPoint*>> by_name;
  for (JudgedPoint& p : points) by_name[deployment_name(p.point)].push_back(&p);
  std::vector<Group> groups;
  for (auto& [name, members] : by_name) {
    Result<Deployment> deployment = deployment_of(members.front()->point, conventions, library);
    if (!deployment) {
      for (JudgedPoint* p : members) p->not_predicted = in_a_line(deployment.error());
      continue;
    }
    Group group{.deployment = std::make_unique<const Deployment>(std::move(*deployment)),
                .points = std::move(members)};
    group.server = std::make_unique<PointServer>(*group.deployment, generic_calibration());
    groups.push_back(std::move(group));
  }
  return groups;
}

/// Serves the points that `wanted` says with the profile of their engine, and keeps what they take.
template <class Wanted, class ProfileOf, class Keep>
void serve_all(std::vector<Group>& groups, const ServingConventions& conventions, const Wanted& wanted,
               const ProfileOf& profile_of, const Keep& keep) {
  in_parallel(groups.size(), [&](std::size_t g) {
    for (JudgedPoint* p : groups[g].points) {
      if (!p->not_predicted.empty() || !wanted(*p)) continue;
      const Result<ServedTimes> times = groups[g].server->serve(
          p->point, conventions.shortest_percent(p->point.source), profile_of(p->point.backend));
      if (times) {
        keep(*p, *times);
      } else {
        p->not_predicted = in_a_line(times.error());
      }
    }
  });
}

/// Chooses what is fitted to, among the points of each engine that are predicted and scored.
std::vector<std::string> choose_fitted(std::vector<JudgedPoint>& points, const JudgeOptions& options) {
  std::map<std::string, std::set<std::string>> configurations;
  const auto counts = [](const JudgedPoint& p) { return p.not_predicted.empty() && p.not_scored.empty(); };
  for (const JudgedPoint& p : points) {
    if (counts(p)) configurations[p.point.backend].insert(configuration_name(p.point));
  }
  std::vector<std::string> backends;
  for (const auto& [backend, names] : configurations) {
    backends.push_back(backend);
    const auto chosen = fitted_configurations({names.begin(), names.end()}, options);
    for (JudgedPoint& p : points) {
      if (counts(p) && p.point.backend == backend)
        p.fitted = std::find(chosen.begin(), chosen.end(), configuration_name(p.point)) != chosen.end();
    }
  }
  return backends;
}

ProfileErrors errors_of(const std::vector<JudgedPoint>& points, const std::string& backend) {
  ProfileErrors errors;
  for (const JudgedPoint& p : points) {
    if (!p.fitted || p.point.backend != backend) continue;
    errors.tpot.push_back(p.profiled.tpot.count() * 1e3 / p.point.tpot_ms - 1);
    errors.ttft.push_back(p.profiled.ttft.count() * 1e3 / p.point.ttft_ms - 1);
  }
  return errors;
}

}  // namespace

std::vector<std::string> fitted_configurations(std::vector<std::string> names, const JudgeOptions& options) {
  std::sort(names.begin(), names.end(), [&](const std::string& a, const std::string& b) {
    return tensor_key(options.seed, a) < tensor_key(options.seed, b);
  });
  const auto count = std::lround(options.fit_on * static_cast<double>(names.size()));
  names.resize(static_cast<std::size_t>(std::max(1L, count)));
  return names;
}

JudgedPoints judge_points(const std::vector<ServingPoint>& points, const ServingConventions& conventions,
                          const Library& library, const JudgeOptions& options) {
  JudgedPoints judged;
  for (const ServingPoint& point : points) {
    JudgedPoint p{.point = point};
    if (const auto model = conventions.models.find(point.model); model != conventions.models.end())
      p.not_scored = model->second.not_scored;
    judged.points.push_back(std::move(p));
  }
  std::vector<Group> groups = groups_of(judged.points, conventions, library);
  const EngineProfile none;
  serve_all(
      groups, conventions, [](const JudgedPoint&) { return true; },
      [&](const std::string&) -> const EngineProfile& { return none; },
      [](JudgedPoint& p, const ServedTimes& t) { p.generic = t; });
  const auto keep_profiled = [](JudgedPoint& p, const ServedTimes& t) { p.profiled = t; };
  for (const std::string& backend : choose_fitted(judged.points, options)) {
    judged.profiles[backend] = fit_profile([&](const EngineProfile& profile) {
      serve_all(
          groups, conventions, [&](const JudgedPoint& p) { return p.fitted && p.point.backend == backend; },
          [&](const std::string&) -> const EngineProfile& { return profile; }, keep_profiled);
      return errors_of(judged.points, backend);
    });
  }
  serve_all(
      groups, conventions, [](const JudgedPoint&) { return true; },
      [&](const std::string& backend) -> const EngineProfile& {
        const auto found = judged.profiles.find(backend);
        return found != judged.profiles.end() ? found->second : none;
      },
      keep_profiled);
  return judged;
}

}  // namespace inferometer
