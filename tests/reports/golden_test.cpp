#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "model/document.hpp"
#include "reports/reports.hpp"
#include "tests/reports/example_study.hpp"

namespace inferometer {
namespace {

/// Compares with tests/golden/NAME byte by byte; with INFEROMETER_UPDATE_GOLDEN=1 writes it instead.
void expect_golden(const std::string& name, const std::string& text) {
  const std::string file = std::string{INFEROMETER_SOURCE} + "/tests/golden/" + name;
  if (std::getenv("INFEROMETER_UPDATE_GOLDEN") != nullptr) {
    std::ofstream(file, std::ios::binary) << text;
    return;
  }
  std::ifstream in(file, std::ios::binary);
  const std::string golden{std::istreambuf_iterator<char>(in), {}};
  EXPECT_TRUE(text == golden)
      << name << " has changed; look at the difference, then run with INFEROMETER_UPDATE_GOLDEN=1";
}

TEST(Golden, EveryReportOfAMeasuredStudy) {
  const StudyResult study = example_study(true);
  expect_golden("results.txt", results_table(study));
  expect_golden("results.json", results_json(study));
  expect_golden("profile.txt", profile_table(study));
  expect_golden("report.md", report_markdown(study));
  expect_golden("report.html", report_html(study));
  expect_golden("trace.json", trace_json(study));
}

TEST(Golden, APredictionSaysThatNothingWasMeasured) {
  const StudyResult study = example_study(false);
  expect_golden("prediction.txt", results_table(study));
  expect_golden("prediction.md", report_markdown(study));
  EXPECT_NE(results_table(study).find("not measured: there is no backend"), std::string::npos);
  EXPECT_NE(report_html(study).find("Predicted only"), std::string::npos);
}

TEST(Reports, JsonIsJsonAndHtmlNeedsNothingBesideIt) {
  for (const bool measured : {true, false}) {
    const StudyResult study = example_study(measured);
    EXPECT_TRUE(parse_json(results_json(study), "results.json"));
    EXPECT_TRUE(parse_json(trace_json(study), "trace.json"));
    const std::string html = report_html(study);
    for (const char* outside : {"http:", "https:", "src=", "href=", "@import", "url("})
      EXPECT_EQ(html.find(outside), std::string::npos) << outside;
    EXPECT_EQ(html.find("example <1>"), std::string::npos);
    EXPECT_NE(html.find("example &lt;1&gt;"), std::string::npos);
    EXPECT_NE(html.find("&quot;report&quot; shows &amp; how"), std::string::npos);
  }
}

TEST(Reports, AreTheSameEveryTime) {
  EXPECT_EQ(results_json(example_study(true)), results_json(example_study(true)));
}

}  // namespace
}  // namespace inferometer
