#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "reports/store.hpp"
#include "reports/tables.hpp"

namespace inferometer {

/// A sweep that was run.
struct SweepStudy {
  Scenario scenario;
  Provenance provenance;
  std::vector<StoredPoint> points;  ///< all of the grid, in its order
  std::size_t ran = 0;              ///< of them; the others were in the store
  std::filesystem::path store;
};

/// The grid, the best points for throughput and for goodput marked, why points failed.
Table sweep_points(const SweepStudy& study);
/// One axis, or the last two, of which the first makes the curves: goodput, or output tokens per second.
/// Empty with more axes, or where no point has a result.
std::string sweep_chart(const SweepStudy& study);

/// For a terminal.
std::string sweep_table(const SweepStudy& study);
/// A line for each point: axes, then all numbers that any point has, then why it failed (RFC 4180).
std::string sweep_csv(const SweepStudy& study);
std::string sweep_json(const SweepStudy& study);
std::string sweep_html(const SweepStudy& study);

/// Writes report.html, points.csv and results.json.
/// returns  the files; errors: what could not be written
[[nodiscard]] Result<std::vector<std::filesystem::path>> write_sweep(const SweepStudy& study,
                                                                     const std::filesystem::path& folder);

}  // namespace inferometer
