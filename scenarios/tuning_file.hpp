#pragma once
#include <filesystem>
#include <string>

#include "model/tuning.hpp"
#include "scenarios/scenario.hpp"

namespace inferometer {

/// Reads what `tune` wrote, or somebody edited.
/// errors  all mistakes at their places: missing or unknown keys, sizes that are not positive, shapes that
///         stand twice, an algorithm without cublaslt or cublaslt without an algorithm
[[nodiscard]] Result<Tuning> read_tuning(const std::string& text, const std::filesystem::path& file);

/// The text of a tuning file. It reads back to the same values, times to six digits.
std::string print_tuning(const Tuning& tuning);

/// Where `tune` writes and `run` looks: the file that the scenario names, else that of the backend
/// ("cuda:0") beside calibrations.
std::filesystem::path tuning_file(const std::string& named, const std::string& backend,
                                  const Library& library);

/// The tuning that a scenario is executed with; an empty one where it names none and nothing was tuned, or
/// where it names "none".
[[nodiscard]] Result<Tuning> find_tuning(const Scenario& scenario, const Library& library);

/// Products that the steps of a scenario's variants run, and whether a plan among them lets kernels overlap.
/// errors  plans that a network cannot run under
[[nodiscard]] Result<std::map<ProductShape, bool>> product_shapes(const Scenario& scenario);

}  // namespace inferometer
