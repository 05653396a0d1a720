#include "scenarios/check_edits.hpp"

#include <string_view>

#include "scenarios/load_traffic.hpp"
#include "scenarios/step_profile.hpp"
#include "scenarios/sweep.hpp"

namespace inferometer {
namespace {

/// Why a setting has no effect; empty: it has.
std::string_view why_without_effect(std::string_view path, const std::optional<TrafficSpec>& traffic) {
  if (!traffic) return path.starts_with("serving.") ? "says how traffic: is served; there is none" : "";
  if (path.starts_with("workload.")) return "is of a static batch; traffic: is served";
  if (path == "draws.seed" && is_drawn(*traffic))
    return "traffic: is drawn once for all runs, by seed:; `capacity` draws it several times";
  if (path == "serving.load" && traffic->arrivals.process == ArrivalProcess::closed)
    return "arrivals of a closed loop have no rate";
  return "";
}

}  // namespace

void refuse_without_effect(const Scenario& s, const std::optional<TrafficSpec>& traffic, Errors& errors) {
  const auto check = [&](const std::string& what, const std::string& path, const Location& where) {
    if (const std::string_view why = why_without_effect(path, traffic); !why.empty())
      errors.push_back({what + path + ": " + std::string{why}, where});
  };
  for (const Variant& v : s.variants) {
    for (const Edit& e : v.edits) check("variant \"" + v.name + "\": ", e.path, e.where);
  }
  for (const SweepAxis& axis : s.sweep) check("sweep.", axis.path, axis.where);
}

void refuse_unprofiled(const Scenario& s, Errors& errors) {
  const auto refuse = [&](const std::string& what, const Location& where) {
    errors.push_back({what + ": kernels that a profile: measured do not follow it", where});
  };
  for (const Variant& v : s.variants) {
    for (const Edit& e : v.edits) {
      if (!profile_follows(e.path)) refuse("variant \"" + v.name + "\": " + e.path, e.where);
    }
  }
  for (const Variant& v : runs_of(s)) {
    if (v.pools.empty()) continue;
    refuse("pools", v.pools.front().where);
    break;  // others have the same
  }
  for (const SweepAxis& axis : s.sweep) {
    if (!profile_follows(axis.path)) refuse("sweep." + axis.path, axis.where);
  }
}

}  // namespace inferometer
