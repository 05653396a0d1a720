#pragma once
#include <string>
#include <vector>

#include "papers/paper.hpp"
#include "scenarios/limits_file.hpp"

namespace inferometer {

/// For a terminal: of each paper its rows, published and predicted, and what the errors of those that are
/// scored come to.
std::string papers_table(const std::vector<Paper>& papers);
/// {papers: [{name, source, settings, device, fitted, rows: [{label, unit, published: [low, high], predicted,
/// error_percent, scored, note}], n, mape, bias}]}; mape and bias are null where no row is scored.
std::string papers_json(const std::vector<Paper>& papers);

/// The limits that the papers exceed, each with both figures; limits of papers that are not among them say
/// nothing.
Errors unmet(const std::vector<Paper>& papers, const std::vector<PaperLimit>& limits);

}  // namespace inferometer
