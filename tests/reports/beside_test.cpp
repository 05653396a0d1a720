#include "reports/beside.hpp"

#include <gtest/gtest.h>

#include "reports/reports.hpp"
#include "tests/reports/example_study.hpp"

namespace inferometer {
namespace {

TEST(Beside, IsNotInReportsOfStepsWithoutCopies) {
  const StudyResult study = example_study(true);
  EXPECT_FALSE(beside_table(study));
  EXPECT_EQ(beside_text(study), "");
}

TEST(Beside, ShowsWhatWasPredictedAndMeasuredAloneAndTogether) {
  const StudyResult study = example_study(true, {.bytes = Bytes{3 << 20}});
  const auto table = beside_table(study);
  ASSERT_TRUE(table);
  ASSERT_EQ(table->rows.size(), 12U) << "three variants of two phases";
  EXPECT_EQ(table->rows[0].cells[2], "3.0 MiB within_device");
  EXPECT_EQ(table->rows[0].cells[3], "predicted");
  // The example's backend: a step takes 2 us longer beside a copy, which takes 25 us instead of 20.
  const std::vector<std::string>& measured = table->rows[1].cells;
  EXPECT_EQ(measured[3], "measured");
  EXPECT_EQ(measured[5], "0.020");
  EXPECT_EQ(measured[7], "0.025");
  const BesideTimes& t = *study.variants[0].phases[0].beside_measured;
  EXPECT_EQ(t.step - t.step_alone, Nanoseconds{2000});
  EXPECT_EQ(t.both, std::max(t.step, t.copy));
  EXPECT_EQ(study.variants[0].phases[0].measured->median, t.step) << "steps are timed beside their copies";
}

TEST(Beside, IsInEveryReport) {
  const StudyResult study = example_study(true, {.bytes = Bytes{3 << 20}});
  EXPECT_NE(results_table(study).find("copy alone"), std::string::npos);
  EXPECT_NE(report_markdown(study).find("| copy alone |"), std::string::npos);
  EXPECT_NE(report_html(study).find(">copy alone<"), std::string::npos);
  EXPECT_NE(results_json(study).find("\"copy_alone_s\": 2e-05"), std::string::npos);
  EXPECT_NE(trace_json(study).find("\"copy within_device\",\"cat\":\"copy\""), std::string::npos);
}

}  // namespace
}  // namespace inferometer
