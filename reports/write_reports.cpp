#include "reports/reports.hpp"
#include "reports/served_csv.hpp"
#include "scenarios/files.hpp"

namespace inferometer {

Result<std::vector<std::filesystem::path>> write_reports(const StudyResult& study,
                                                         const std::filesystem::path& folder) {
  std::vector<std::pair<std::filesystem::path, std::string>> files{
      {folder / "report.html", report_html(study)},
      {folder / "report.md", report_markdown(study)},
      {folder / "results.json", results_json(study)},
      {folder / "trace.json", trace_json(study)},
  };
  if (study.scenario.traffic) {
    files.emplace_back(folder / "requests.csv", requests_csv(study));
    files.emplace_back(folder / "timeline.csv", timeline_csv(study));
  }
  return write_files(files);
}

}  // namespace inferometer
