#include "scenarios/sweep.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <mutex>
#include <set>

#include "scenarios/check_case.hpp"
#include "scenarios/load_pools.hpp"
#include "scenarios/run_jobs.hpp"
#include "scenarios/sweep_key.hpp"

namespace inferometer {
namespace {

PointResult predict_point(const Scenario& scenario, SweepPoint point, std::string key) {
  PointResult result{.point = std::move(point), .key = std::move(key)};
  if (!result.point.errors.empty()) {
    result.failed = in_a_line(result.point.errors);
    return result;
  }
  Result<VariantResult> predicted = predict_run(result.point.run, scenario, *result.point.calibration);
  if (!predicted) {
    result.failed = in_a_line(predicted.error());
  } else if (!predicted->not_served.empty()) {
    result.failed = predicted->not_served;
  } else if (!predicted->serving && !predicted->memory.fits()) {
    constexpr double gib = 1 << 30;
    result.failed = fmt::format("does not fit: {:.2f} of {:.2f} GiB",
                                static_cast<double>(predicted->memory.total().value) / gib,
                                static_cast<double>(predicted->memory.capacity.value) / gib);
  } else {
    result.result = std::move(*predicted);
  }
  return result;
}

/// Runs what is missing and counts.
class SweepWork {
 public:
  SweepWork(const Scenario& scenario, const std::string& program, PointSink& sink, const Progress& progress)
      : scenario_(scenario), sink_(sink), progress_(progress), common_(common_key(scenario, program)) {
    run_.keys.resize(points_of(scenario));
  }

  void one(std::size_t index) {
    if (stopped()) return;
    SweepPoint point = point_at(scenario_, index);
    const std::string name = point.run.name;
    std::string& key = run_.keys[index];
    key = point_key(common_, point);
    const Result<bool> had = sink_.has(key);
    if (!had) return stop(had.error());
    const bool runs = !*had && begins(key);
    const Done kept =
        runs ? sink_.keep(predict_point(scenario_, std::move(point), key)) : sink_.place(point, key);
    if (!kept) return stop(kept.error());
    const std::lock_guard lock(guard_);
    run_.ran += runs ? 1 : 0;
    progress_(name, static_cast<double>(++ended_) / static_cast<double>(run_.keys.size()));
  }

  Result<SweepRun> take() {
    if (!errors_.empty()) return failure(std::move(errors_));
    return std::move(run_);
  }

 private:
  /// Two points can be one Case under two names: the first runs.
  bool begins(const std::string& key) {
    const std::lock_guard lock(guard_);
    return begun_.insert(key).second;
  }
  bool stopped() {
    const std::lock_guard lock(guard_);
    return !errors_.empty();
  }
  void stop(const Errors& errors) {
    const std::lock_guard lock(guard_);
    if (errors_.empty()) errors_ = errors;
  }

  const Scenario& scenario_;
  PointSink& sink_;
  const Progress& progress_;
  const std::uint64_t common_;
  std::mutex guard_;
  SweepRun run_;
  std::set<std::string> begun_;
  std::size_t ended_ = 0;
  Errors errors_;
};

/// The variant, 0: the baseline, and of each axis which value.
struct Place {
  std::size_t variant = 0;
  std::vector<std::size_t> values;
};
Place place_of(const Scenario& scenario, std::size_t index) {
  Place place{.values = std::vector<std::size_t>(scenario.sweep.size())};
  for (std::size_t a = place.values.size(); a-- > 0;) {
    place.values[a] = index % scenario.sweep[a].values.size();
    index /= scenario.sweep[a].values.size();
  }
  place.variant = index;
  return place;
}

}  // namespace

std::vector<std::string> axes_of(const Scenario& scenario) {
  std::vector<std::string> axes;
  if (!scenario.variants.empty()) axes.emplace_back("variant");
  for (const SweepAxis& axis : scenario.sweep) axes.push_back(axis.path);
  return axes;
}

std::size_t points_of(const Scenario& scenario) {
  std::size_t points = scenario.variants.size() + 1;
  for (const SweepAxis& axis : scenario.sweep) points *= axis.values.size();
  return points;
}

std::vector<std::string> values_at(const Scenario& scenario, std::size_t index) {
  const Place at = place_of(scenario, index);
  std::vector<std::string> values;
  if (!scenario.variants.empty())
    values.push_back(at.variant == 0 ? "baseline" : scenario.variants[at.variant - 1].name);
  for (std::size_t a = 0; a < at.values.size(); ++a) values.push_back(scenario.sweep[a].values[at.values[a]]);
  return values;
}

SweepPoint point_at(const Scenario& scenario, std::size_t index) {
  const Place at = place_of(scenario, index);
  SweepPoint point{.values = values_at(scenario, index), .calibration = &scenario.calibration};
  point.run = at.variant == 0 ? Variant{"baseline", {}, {}, scenario.baseline, scenario.pools}
                              : scenario.variants[at.variant - 1];
  std::string name = scenario.variants.empty() && !at.values.empty() ? "" : point.run.name;
  for (std::size_t a = 0; a < at.values.size(); ++a) {
    const SweepAxis& axis = scenario.sweep[a];
    const Edit edit{axis.path, axis.values[at.values[a]], axis.where};
    name += (name.empty() ? "" : ", ") + edit.path + " " + edit.value;
    if (axis.path == "device") {
      point.run.edited.cluster.device = axis.devices[at.values[a]].device;
      point.calibration = &axis.devices[at.values[a]].calibration;
    } else if (const Done set = set_field(point.run.edited, edit); !set) {
      for (const Error& e : set.error()) point.errors.push_back(e);
    }
    point.run.edits.push_back(edit);
  }
  point.run.name = std::move(name);
  if (point.errors.empty()) point.errors = check_case(point.run.edited, point.run.edits, {});
  if (point.errors.empty()) point.errors = settle_pools(point.run.pools, point.run.edited, point.run.edits);
  return point;
}

Result<SweepRun> run_sweep(const Scenario& scenario, const std::string& program, PointSink& sink,
                           std::size_t threads, const Progress& progress) {
  SweepWork work(scenario, program, sink, progress);
  run_jobs(points_of(scenario), threads, [&](std::size_t index) { work.one(index); });
  return work.take();
}

}  // namespace inferometer
