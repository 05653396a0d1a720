#include <nlohmann/json.hpp>

#include "reports/pool_tables.hpp"
#include "reports/reports.hpp"
#include "reports/serving_tables.hpp"
#include "tests/reports/example_study.hpp"
#include "tests/scenarios/files_for_tests.hpp"

namespace inferometer {
namespace {

const std::string served =
    "name: served\n"
    "model: tiny\n"
    "device: unit-gpu\n"
    "traffic:\n"
    "  requests: 60\n"
    "  prompt_tokens: {mean: 60, cv: 0.5}\n"
    "  output_tokens: {mean: 8, cv: 0.5}\n"
    "  arrivals: {process: poisson, requests_per_second: 20000}\n"
    "slo: {ttft: 2 ms, tpot: 1 ms}\n"
    "serving: {kv_blocks: 64, max_num_seqs: 8, max_num_batched_tokens: 64, replicas: 2}\n"
    "variants:\n";
const std::string apart =
    "  - name: apart\n"
    "    set: {serving.kv_link.overlap: layers}\n"
    "    pools:\n"
    "      - {name: first, role: prefill, set: {serving.kv_blocks: 63}}\n"
    "      - {name: then, role: decode}\n";

struct PooledStudy : InFolder {
  StudyResult study(const std::string& text) {
    const Scenario scenario = loaded(text);
    return *run_study(scenario, scenario.calibration, nullptr, "--predict-only",
                      [](const std::string&, double) {});
  }
};

TEST_F(PooledStudy, OnePoolOfRoleBothIsWhatReplicasAre) {
  const StudyResult one = study(served + "  - {name: pool, pools: [{name: all, replicas: 2}]}\n");
  auto json = nlohmann::json::parse(results_json(one)).at("variants");
  for (auto& variant : json) variant.at("predicted").erase("wall_s");
  EXPECT_EQ(json.at(0).at("predicted").dump(), json.at(1).at("predicted").dump());
  EXPECT_TRUE(json.at(0).at("predicted").at("pools").empty());
  EXPECT_TRUE(json.at(0).at("predicted").at("kv_transfer").is_null());
}

TEST_F(PooledStudy, ReportsTellWhatEachPoolDid) {
  const StudyResult study = this->study(served + apart);
  const auto variant = nlohmann::json::parse(results_json(study)).at("variants").at(1);
  const auto& settings = variant.at("pools");
  ASSERT_EQ(settings.size(), 2U);
  EXPECT_EQ(settings.at(0).at("settings").at("serving.kv_blocks"), "63");
  EXPECT_EQ(settings.at(1).at("settings").at("serving.kv_blocks"), "64");
  EXPECT_NE(settings.at(0).at("settings_hash"), settings.at(1).at("settings_hash"));
  const auto& json = variant.at("predicted");
  ASSERT_EQ(json.at("pools").size(), 2U);
  EXPECT_EQ(json.at("pools").at(0).at("role"), "prefill");
  EXPECT_EQ(json.at("pools").at(1).at("device"), "unit-gpu");
  EXPECT_EQ(json.at("pools").at(1).at("prompt_tokens"), 0);
  for (const char* key : {"utilisation", "waiting_mean", "running_mean", "kv_blocks", "kv_blocks_peak",
                          "steps", "preemptions", "instances", "output_tokens"})
    EXPECT_TRUE(json.at("pools").at(0).at(key).is_number()) << key;
  const auto& transfer = json.at("kv_transfer");
  // 16 tokens of two layers, two heads of 8 values, keys and values in bf16.
  EXPECT_EQ(transfer.at("bytes").get<std::int64_t>() % (16 * 2 * 2 * 2 * 8 * 2), 0);
  EXPECT_GT(transfer.at("delay_ms").at("p99").get<double>(), 0);
  EXPECT_GT(transfer.at("time_ms").at("mean").get<double>(), 0);
  EXPECT_EQ(json.at("completed"), 60);
  for (const std::string& text : {results_table(study), report_html(study), report_markdown(study)}) {
    EXPECT_NE(text.find("blocks 63"), std::string::npos);
    EXPECT_NE(text.find("KV caches from prefill to decode instances"), std::string::npos);
  }
  EXPECT_TRUE(pool_table(this->study(served + "  - {name: as it is}\n")).rows.empty());
}

TEST_F(PooledStudy, APoolWithoutRoomIsToldByItsName) {
  const StudyResult study = this->study(
      served +
      "  - {name: v, pools: [{name: full, set: {serving.kv_blocks: 0, "
      "serving.gpu_memory_utilization_percent: 1, serving.max_num_batched_tokens: 10000000}}]}\n");
  EXPECT_FALSE(study.variants[1].serving);
  EXPECT_NE(results_table(study).find("v: not served: pool \"full\": no room for a KV cache"),
            std::string::npos);
}

}  // namespace
}  // namespace inferometer
