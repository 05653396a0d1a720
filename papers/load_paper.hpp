#pragma once
#include "papers/paper.hpp"
#include "scenarios/scenario.hpp"

namespace inferometer {

/// Names of the tables that ship, sorted.
std::vector<std::string> list_papers(const Library& library);

/// Reads a published table, by its name or as a path, and predicts each row without any measurement of its
/// device:
///   name: TEXT       as the file is called
///   source: TEXT     paper or page, table, address
///   settings: TEXT   what the source says of how it was measured, and what is assumed where it does not
///   device: PRESET
///   kind: generation, weight-only or kernels, each with keys of its own: see generation_rows(),
///         weight_only_rows(), kernel_rows()
///
/// errors  all at file:line:column
[[nodiscard]] Result<Paper> load_paper(const std::string& name, const Library& library);

}  // namespace inferometer
