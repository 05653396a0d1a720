#include "served/judge_points.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "reports/serving_validation.hpp"
#include "scenarios/files.hpp"

namespace inferometer {
namespace {

const std::filesystem::path scenarios = std::filesystem::path{INFEROMETER_SOURCE} / "scenarios";
const Library library{.root = scenarios, .calibration = {}};

ServingConventions small_conventions() {
  const auto conventions = read_conventions(
      "models:\n  small: {preset: llama-3.2-1b}\n  unknown: {not_predicted: no one knows it}\n"
      "products: {bf16: {}}\n"
      "engines: {e: {launch.graphs: true, serving.policy: vllm-v1, serving.max_num_batched_tokens: 2048, "
      "serving.max_num_seqs: 64}}\n"
      "lengths:\n  - {source: varied, shortest_percent: 80}\n",
      "c.yaml");
  EXPECT_TRUE(conventions) << to_string(conventions.error());
  return *conventions;
}

ServingPoint small_point(std::int64_t prompt, std::int64_t concurrency) {
  return {.system = "h200_sxm",
          .backend = "e",
          .model = "small",
          .products = "bf16",
          .prompt_tokens = prompt,
          .output_tokens = 32,
          .concurrency = concurrency,
          .ttft_ms = 1,
          .tpot_ms = 1,
          .source = "varied"};
}

/// Points as a server with this profile would be measured.
std::vector<ServingPoint> measured_with(const EngineProfile& profile) {
  const ServingConventions conventions = small_conventions();
  std::vector<ServingPoint> points;
  for (const std::int64_t prompt : {128, 512, 1024, 1500, 2000}) {
    for (const std::int64_t concurrency : {1, 4, 16}) points.push_back(small_point(prompt, concurrency));
  }
  const auto deployment = deployment_of(points.front(), conventions, library);
  EXPECT_TRUE(deployment) << to_string(deployment.error());
  const Calibration generic{.source = "generic"};
  PointServer server(*deployment, generic);
  for (ServingPoint& p : points) {
    const auto times = server.serve(p, 80, profile);
    p.ttft_ms = times->ttft.count() * 1e3;
    p.tpot_ms = times->tpot.count() * 1e3;
  }
  return points;
}

TEST(ClosedLoop, KeepsSoManyRequestsInTheSystem) {
  const Traffic traffic = closed_loop(small_point(100, 3), 80, Seconds{0.5});
  ASSERT_EQ(traffic.requests.size(), 30U);
  EXPECT_EQ(traffic.requests[2].after, -1);
  EXPECT_EQ(traffic.requests[5].after, 2);
  EXPECT_EQ(traffic.requests[5].arrival, Nanoseconds{0});
  EXPECT_EQ(traffic.client_delay, Seconds{0.5});
  for (const Request& r : traffic.requests) {
    EXPECT_GE(r.prompt_tokens, 80);
    EXPECT_LE(r.prompt_tokens, 100);
  }
}

TEST(ClosedLoop, LengthsAreAsStatedWhereTheyDoNotVary) {
  for (const Request& r : closed_loop(small_point(100, 3), 100, Seconds{0}).requests)
    EXPECT_EQ(r.prompt_tokens, 100);
}

TEST(JudgePoints, AFitToPointsOfAnEngineRecoversItsConstants) {
  const EngineProfile truth{.per_step = Seconds{2e-3}, .kernels = 1.2, .per_request = Seconds{30e-3}};
  const JudgedPoints judged =
      judge_points(measured_with(truth), small_conventions(), library, {.fit_on = 0.6, .seed = 1});
  const EngineProfile& found = judged.profiles.at("e");
  EXPECT_NEAR(found.per_step.count(), 2e-3, 0.2e-3);
  EXPECT_NEAR(found.kernels, 1.2, 0.1);
  EXPECT_NEAR(found.per_request.count(), 30e-3, 2e-3);
  for (const JudgedPoint& p : judged.points)
    EXPECT_NEAR(p.profiled.tpot.count() * 1e3 / p.point.tpot_ms, 1, 0.05);
}

TEST(JudgePoints, WhatIsNotPredictedIsListedWithItsReason) {
  ServingPoint unknown = small_point(128, 1);
  unknown.model = "unknown";
  const JudgedPoints judged = judge_points({small_point(128, 1), unknown}, small_conventions(), library, {});
  ASSERT_EQ(judged.points.size(), 2U);
  EXPECT_EQ(judged.points[1].not_predicted, "no one knows it");
  const std::string table = serving_table({.file = "f.csv", .judged = judged});
  EXPECT_NE(table.find("1 rows, unknown: no one knows it"), std::string::npos) << table;
}

TEST(JudgePoints, ConfigurationsAreChosenWholeAndByTheSeed) {
  const std::vector<std::string> names{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"};
  const auto first = fitted_configurations(names, {.fit_on = 0.2, .seed = 1});
  EXPECT_EQ(first.size(), 2U);
  EXPECT_EQ(first, fitted_configurations(names, {.fit_on = 0.2, .seed = 1}));
  bool differs = false;
  for (std::uint64_t seed = 2; seed < 10; ++seed)
    differs = differs || first != fitted_configurations(names, {.fit_on = 0.2, .seed = seed});
  EXPECT_TRUE(differs);
  EXPECT_EQ(fitted_configurations({"only"}, {.fit_on = 0.2, .seed = 1}).size(), 1U);
}

TEST(ServingLimits, ThatAreExceededAreToldWithBothFigures) {
  JudgedPoint p{.point = small_point(128, 1)};
  p.generic = {.ttft = Seconds{1.5e-3}, .tpot = Seconds{0.9e-3}};
  const ServingValidation validation{.judged = {.points = {p}}};
  const auto limits =
      read_serving_limits("limits:\n  - {level: generic, tpot_mape: 11, ttft_mape: 40}\n", "l.yaml");
  ASSERT_TRUE(limits) << to_string(limits.error());
  EXPECT_EQ(to_string(unmet(validation, *limits)),
            "l.yaml:2:5: error: generic TTFT: mean absolute error in % 50.00, at most 40.00 is required\n");
  const auto more =
      read_serving_limits("limits: [{level: generic, tpot_mape: 99, ttft_mape: 99, scored: 2}]", "l.yaml");
  ASSERT_TRUE(more) << to_string(more.error());
  EXPECT_EQ(to_string(unmet(validation, *more)),
            "l.yaml:1:10: error: generic: 1 points are scored, at least 2 are required\n");
  const auto wrong =
      read_serving_limits("limits:\n  - {level: best, tpot_mape: 0, ttft_mape: 4}\n", "l.yaml");
  ASSERT_FALSE(wrong);
  EXPECT_NE(to_string(wrong.error()).find("\"best\" is not one of generic, profiled"), std::string::npos);
}

}  // namespace
}  // namespace inferometer
