#pragma once
#include <optional>
#include <string>
#include <vector>

#include "reports/tables.hpp"

namespace inferometer {

/// What a step of a phase is predicted to draw and cost, of all devices of the instance.
struct PhaseCost {
  std::optional<Joules> step, token;
  std::optional<Watts> power;  ///< mean of one device
  std::optional<Dollars> per_million_tokens;
  std::optional<Dollars> measured_per_million_tokens;  ///< by the measured time
  std::string not_known;                               ///< "h200-sxm has no price"
};
PhaseCost cost_of(const VariantResult& v, const PhaseResult& phase);

/// Power, energy and cost of a step and of its tokens, predicted beside measured; nothing where none is
/// known.
std::optional<Table> energy_table(const StudyResult& study);
/// The prediction of one phase in a line, ended; empty where none is known.
std::string energy_line(const VariantResult& v, const PhaseResult& phase);
/// Energy and cost of served variants; without rows where nothing is known.
Table serving_costs(const StudyResult& study);
/// "energy and cost: not known: h200-sxm has no price": each reason once, of static and of served variants.
std::vector<std::string> cost_notes(const StudyResult& study);

}  // namespace inferometer
