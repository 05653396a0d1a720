#include "reports/reports.hpp"
#include "scenarios/files.hpp"

namespace inferometer {

Result<std::vector<std::filesystem::path>> write_reports(const StudyResult& study,
                                                         const std::filesystem::path& folder) {
  return write_files({
      {folder / "report.html", report_html(study)},
      {folder / "report.md", report_markdown(study)},
      {folder / "results.json", results_json(study)},
      {folder / "trace.json", trace_json(study)},
  });
}

}  // namespace inferometer
