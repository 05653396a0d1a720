#pragma once
#include "model/document.hpp"
#include "scenarios/scenario.hpp"

namespace inferometer {

/// The `sweep:` section of a scenario into `s.sweep`: settings, nested or dotted, and `device`, each with a
/// list of values:
///   sweep: {serving.max_num_seqs: [64, 128], precision: {weights: [bf16, fp8]}, device: [h200-sxm,
///   h100-sxm]}
/// The last one varies fastest.
///
/// s       with everything else of the scenario
/// errors  at the places of unknown settings, of values that a setting does not take or that are listed
///         twice; a setting that a variant makes too. Values that do not go together are not judged: such a
///         point says so when it is run.
void read_sweep(const Document& section, Scenario& s, const Library& library, Errors& errors);

}  // namespace inferometer
