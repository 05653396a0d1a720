#include "cli/sweep.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "cli/edges.hpp"
#ifdef INFEROMETER_HAS_SQLITE
#include "reports/sweep_report.hpp"
#include "scenarios/calibration_file.hpp"
#include "scenarios/files.hpp"
#endif

namespace inferometer {
#ifdef INFEROMETER_HAS_SQLITE
namespace {

/// A revision does not tell a program from one that was changed since: its bytes do.
std::string program_identity(const Provenance& made) {
  const Result<std::string> bytes = read_file("/proc/self/exe");
  return made.version + " " + made.revision + " " + (bytes ? content_hash(*bytes) : made.compiler);
}

}  // namespace

int sweep_command(const Context& context, const Scenario& scenario, const std::filesystem::path& out) {
  SweepStudy study{.scenario = scenario, .provenance = provenance(), .store = out / "results.sqlite"};
  const std::string program = program_identity(study.provenance);
  const Result<std::unique_ptr<Store>> store = Store::open(study.store, axes_of(scenario), program);
  if (!store) return tell(store.error(), failed);
  const Result<SweepRun> run = run_sweep(scenario, program, **store, std::thread::hardware_concurrency(),
                                         terminal_progress(scenario.name));
  if (!run) return tell(run.error(), failed);
  Result<std::vector<StoredPoint>> points = (*store)->read(run->keys);
  if (!points) return tell(points.error(), failed);
  study.points = std::move(*points);
  study.ran = run->ran;
  study.provenance.backend = "none: a sweep is predicted";
  study.provenance.device = scenario.baseline.cluster.device.name;
  study.provenance.calibration = scenario.calibration.source;
  study.provenance.tuning = "none";
  study.provenance.level = scenario.calibration.level;
  const Result<std::vector<std::filesystem::path>> files = write_sweep(study, out);
  if (!files) return tell(files.error(), failed);
  fmt::print("{}", context.json ? sweep_json(study) : sweep_table(study));
  if (!context.json) fmt::print("report: {}\n", std::filesystem::absolute(out / "report.html").string());
  const auto ran = [](const StoredPoint& p) { return p.failed.empty(); };
  return std::any_of(study.points.begin(), study.points.end(), ran) ? done : failed;
}
#else
int sweep_command(const Context&, const Scenario& scenario, const std::filesystem::path&) {
  return tell(
      {{"sweep: its points are kept in SQLite (libsqlite3-dev), which was not found when this was built",
        scenario.sweep.front().where}},
      failed);
}
#endif

}  // namespace inferometer
