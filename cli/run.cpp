#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "cli/edges.hpp"
#include "cli/sweep.hpp"
#include "reports/reports.hpp"
#include "scenarios/tuning_file.hpp"

namespace inferometer {

int run_command(const Context& context, const RunOptions& options) {
  Result<Scenario> scenario = load_scenario(options.scenario, context.library);
  // A host that is not measured yet is the one mistake that is mended here, once there is no other.
  const bool only_unmeasured =
      !scenario && scenario.error().size() == 1 &&
      scenario.error().front().message.find("host is not measured yet") != std::string::npos;
  if ((scenario || only_unmeasured) && device_of(options.scenario) == "host") {
    if (const Result<Device> host = device_or_calibrate(context, "host"); !host)
      return tell(host.error(), failed);
    scenario = load_scenario(options.scenario, context.library);
  }
  if (!scenario) return tell(scenario.error(), wrong_input);
  if (const Errors errors = check_weights(scenario->weights, scenario->baseline); !errors.empty())
    return tell(errors, wrong_input);
  const std::filesystem::path out =
      options.out.empty() ? std::filesystem::path{"report"} / scenario->file.stem() : options.out;
  if (!scenario->sweep.empty()) {
    if (!options.profile) return sweep_command(context, *scenario, out);
    return tell(
        {{"profile is of runs that are executed; a sweep is predicted", scenario->sweep.front().where}},
        wrong_input);
  }
  Tuning tuning;
  if (options.execute) {
    Result<Tuning> read = find_tuning(*scenario, context.library);
    if (!read) return tell(read.error(), wrong_input);
    tuning = std::move(*read);
  }
  FoundBackend found;
  if (!options.execute) {
    found.why_not = "--predict-only";
  } else if (scenario->backend.empty()) {
    found.why_not = "the scenario has no execute: section";
  } else {
    found = find_backend(scenario->backend, scenario->weights, tuning, options.profile);
  }
  Result<StudyResult> study = run_study(*scenario, scenario->calibration, found.backend.get(), found.why_not,
                                        terminal_progress(scenario->name));
  if (!study) return tell(study.error(), failed);
  Provenance made = provenance();
  made.backend = found.backend ? found.backend->name() : "none: " + found.why_not;
  made.device = scenario->baseline.cluster.device.name;
  made.calibration = scenario->calibration.source;
  made.tuning = found.backend ? tuning.source : "none";
  made.level = scenario->calibration.level;
  made.more = found.facts;
  for (const VariantResult& v : study->variants) {
    for (const Pool& pool : v.pools) {
      if (pool.calibration)
        made.more["calibration of " + pool.edited.cluster.device.name] = pool.calibration->source;
    }
  }
  if (options.profile && found.backend) {
    const std::string why = found.why_no_counters();
    made.more["counters"] = why.empty() ? "CUPTI range profiler" : "not available: " + why;
  }
  study->provenance = std::move(made);
  const Result<std::vector<std::filesystem::path>> files = write_reports(*study, out);
  if (!files) return tell(files.error(), failed);
  fmt::print("{}", context.json      ? results_json(*study)
                   : options.profile ? profile_table(*study)
                                     : results_table(*study));
  if (!context.json) fmt::print("\nreport: {}\n", std::filesystem::absolute(out / "report.html").string());
  const auto refused = [](const VariantResult& v) { return !v.not_measured.empty(); };
  const auto served = [](const VariantResult& v) { return v.not_served.empty(); };
  if (std::none_of(study->variants.begin(), study->variants.end(), served)) return failed;
  const bool asked = options.execute && !scenario->backend.empty();
  return asked && std::any_of(study->variants.begin(), study->variants.end(), refused) ? failed : done;
}

}  // namespace inferometer
