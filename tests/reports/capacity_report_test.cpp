#include "reports/capacity_report.hpp"

#include "model/document.hpp"
#include "reports/mean_interval.hpp"
#include "tests/scenarios/files_for_tests.hpp"

namespace inferometer {
namespace {

using CapacityReport = InFolder;

TEST(MeanIntervals, AreThoseOfStudent) {
  const MeanInterval of = mean_interval({1, 2, 3});
  EXPECT_DOUBLE_EQ(of.mean, 2);
  EXPECT_NEAR(of.half, 4.303 / std::sqrt(3), 1e-12);
  EXPECT_TRUE(std::isnan(mean_interval({1}).half));
}

CapacityStudy example(const Library& library, const std::filesystem::path& file) {
  CapacityStudy study{.scenario = *load_scenario(file, library), .options = {.seeds = 2}};
  const auto draw = [](double offered, double load) {
    return DrawCapacity{.offered = offered, .edge = {.load = load, .beyond = 1.01 * load}};
  };
  study.variants = {{"baseline", {draw(10, 1), draw(20, 1)}, ""},
                    {"faster", {draw(10, 1.2), draw(20, 1.1)}, ""},
                    {"few", {{.edge = {.kind = LoadEdge::Kind::always_met}}, draw(1, 1)}, ""},
                    {"none", {}, "no room"}};
  study.variants[1].draws[1].edge.out_of_order = 1;
  return study;
}

TEST_F(CapacityReport, PairsTheDrawsOfVariants) {
  const auto file = write("s.yaml",
                          "name: x\nmodel: tiny\ndevice: unit-gpu\nslo: {ttft: 1 s}\ntraffic: {requests: 2, "
                          "prompt_tokens: {mean: 4}, output_tokens: {mean: 4}, arrivals: {process: "
                          "deterministic, requests_per_second: 1}}\n");
  const CapacityStudy study = example(library_, file);
  const std::string table = capacity_table(study);
  // 10 and 20, 12 and 22: the rates differ by 5 about their mean, the differences not at all.
  EXPECT_NE(table.find("15.000  63.530"), std::string::npos) << table;
  EXPECT_NE(table.find("+2.000  0.000"), std::string::npos) << table;
  EXPECT_NE(table.find("few: not reached: in 1 of 2 draws"), std::string::npos) << table;
  EXPECT_NE(table.find("none: not served: no room"), std::string::npos) << table;
  EXPECT_NE(table.find("faster: in 1 of 2 draws some rate within 5 % of the edge"), std::string::npos)
      << table;
  EXPECT_TRUE(parse_json(capacity_json(study), "output"));
}

}  // namespace
}  // namespace inferometer
