#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "scenarios/study.hpp"

namespace inferometer {

/// The study for a terminal: step times predicted and measured, effects against the baseline, how good the
/// predictions were.
std::string results_table(const StudyResult& study);
/// Each step by operator: calls, times, bytes and FLOPs per second, and how near they come to the device's
/// peaks. Times are exposed ones (model/timeline.hpp), so that they add up to the step.
std::string profile_table(const StudyResult& study);
/// Everything, with the unit of each number in its key; "schema_version" counts changes that break readers.
std::string results_json(const StudyResult& study);
/// One variant's part of that on one line, without names and what differs from one run of it to the next.
std::string point_json(const VariantResult& v);
/// Tables for a page of text.
std::string report_markdown(const StudyResult& study);
/// One page that needs nothing beside it.
std::string report_html(const StudyResult& study);
/// Chrome trace events of each variant's steps, for ui.perfetto.dev.
std::string trace_json(const StudyResult& study);

/// Writes report.html, report.md, results.json and trace.json.
/// returns  the files; errors: what could not be written
[[nodiscard]] Result<std::vector<std::filesystem::path>> write_reports(const StudyResult& study,
                                                                       const std::filesystem::path& folder);

}  // namespace inferometer
