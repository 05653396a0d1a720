#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "cli/edges.hpp"
#include "reports/capacity_report.hpp"

namespace inferometer {

int capacity_command(const Context& context, const CapacityCommandOptions& options) {
  const Result<Scenario> scenario = load_scenario(options.scenario, context.library);
  if (!scenario) return tell(scenario.error(), wrong_input);
  Result<CapacityStudy> study =
      find_capacities(*scenario, {.seeds = options.seeds, .tolerance = options.tolerance_percent / 100},
                      std::thread::hardware_concurrency(), terminal_progress(scenario->name));
  if (!study) return tell(study.error(), wrong_input);
  study->provenance = provenance();
  fmt::print("{}", context.json ? capacity_json(*study) : capacity_table(*study));
  const auto served = [](const VariantCapacity& v) { return v.not_served.empty(); };
  return std::any_of(study->variants.begin(), study->variants.end(), served) ? done : failed;
}

}  // namespace inferometer
