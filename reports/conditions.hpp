#pragma once
#include "reports/tables.hpp"

namespace inferometer {

/// How the energy is meant, for a footnote where some is shown.
inline constexpr std::string_view energy_note =
    "energy: what the device's counter grew by over all timed steps, the gaps between them included";

/// Energy of one step and of one of its tokens [J]; nothing where it was not measured.
struct StepEnergy {
  double step = 0, token = 0;
};
std::optional<StepEnergy> step_energy(const PhaseResult& phase);

/// Power, energy, clocks, temperature and throttling while a phase was measured, in one line; empty where the
/// backend does not see its device.
std::string conditions_line(const PhaseResult& phase);
/// The same for all of a study; no rows where nothing was seen.
Table conditions_table(const StudyResult& study);

/// What stands behind a measured time of a throttled device.
inline std::string_view throttled_mark(const PhaseResult& phase) { return phase.throttled() ? "*" : ""; }
/// "* throttled: power cap", with all the reasons of a study; empty where there are none.
std::string throttled_note(const StudyResult& study);

}  // namespace inferometer
