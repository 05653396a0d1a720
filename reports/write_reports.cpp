#include "reports/reports.hpp"
#include "scenarios/files.hpp"

namespace inferometer {

Result<std::vector<std::filesystem::path>> write_reports(const StudyResult& study,
                                                         const std::filesystem::path& folder) {
  const std::vector<std::pair<std::filesystem::path, std::string>> all{
      {folder / "report.html", report_html(study)},
      {folder / "report.md", report_markdown(study)},
      {folder / "results.json", results_json(study)},
      {folder / "trace.json", trace_json(study)},
  };
  std::vector<std::filesystem::path> written;
  for (const auto& [file, text] : all) {
    if (const Done done = write_file(file, text); !done) return failure(done.error());
    written.push_back(file);
  }
  return written;
}

}  // namespace inferometer
