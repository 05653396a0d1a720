#include <fmt/format.h>
#include <gmock/gmock.h>

#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "reports/reports.hpp"
#include "reports/served_csv.hpp"
#include "reports/serving_tables.hpp"
#include "reports/statistics.hpp"
#include "simulator/step_predictor.hpp"
#include "tests/reports/example_study.hpp"
#include "tests/scenarios/files_for_tests.hpp"

namespace inferometer {
namespace {

const std::string served = served_scenario(40, 64) +
                           "execute: {backend: \"cuda:0\"}\n"
                           "variants:\n"
                           "  - {name: twice the load, set: {serving.load: 2}}\n"
                           "  - {name: one at a time, set: {serving.max_num_seqs: 1}}\n";

using ServingStudy = InFolder;
const Progress silent = [](const std::string&, double) {};

TEST_F(ServingStudy, PredictsAndExecutesEveryVariantByTheSameLoop) {
  const Result<Scenario> scenario = load_scenario(write("s.yaml", served), library_);
  ASSERT_TRUE(scenario) << told(scenario.error());
  RuleBackend backend;
  const Result<StudyResult> study = run_study(*scenario, scenario->calibration, &backend, "", silent);
  ASSERT_TRUE(study);
  ASSERT_EQ(study->variants.size(), 3U);
  for (const VariantResult& v : study->variants) {
    ASSERT_TRUE(v.serving) << v.not_served;
    ASSERT_TRUE(v.serving->executed) << v.not_measured;
    EXPECT_EQ(v.serving->predicted.metrics.completed, 40);
    EXPECT_EQ(v.serving->executed->metrics.completed, 40);
    EXPECT_EQ(static_cast<std::int64_t>(v.serving->steps.size()), v.serving->executed->metrics.steps);
    // Every step of this backend takes the same time: each token comes that much after the one before.
    EXPECT_EQ(v.serving->executed->run.itl.quantile(0.0), v.serving->executed->run.itl.quantile(0.5));
  }
  const auto arrival = [&](std::size_t variant, std::size_t request) {
    return study->variants[variant].serving->traffic->requests[request].arrival;
  };
  EXPECT_NEAR(static_cast<double>(arrival(0, 39).count()) / static_cast<double>(arrival(1, 39).count()), 2,
              1e-4);
  const auto wait = [&](std::size_t variant) {
    return study->variants[variant].serving->predicted.metrics.queue.mean;
  };
  EXPECT_GT(wait(2), wait(0));
}

TEST_F(ServingStudy, TellsWhereTheMachineWasSlowerForAWhile) {
  const Result<Scenario> scenario = load_scenario(write("s.yaml", served), library_);
  ASSERT_TRUE(scenario) << told(scenario.error());
  RuleBackend backend;
  Result<StudyResult> study = run_study(*scenario, scenario->calibration, &backend, "", silent);
  ASSERT_TRUE(study);
  std::vector<ServingResult::StepPair>& steps = study->variants[0].serving->steps;
  // All of them 30 % slower than predicted is an error of the prediction, not of the machine.
  steps.assign(200, {.totals = {}, .predicted = Nanoseconds{100}, .executed = Nanoseconds{130}});
  EXPECT_DOUBLE_EQ(slowest_tenth(steps).value(), 1);
  const std::size_t before = serving_notes(*study).size();
  for (std::size_t i = 180; i < 200; ++i) steps[i].executed = Nanoseconds{260};
  EXPECT_DOUBLE_EQ(slowest_tenth(steps).value(), 2);
  const std::vector<std::string> notes = serving_notes(*study);
  ASSERT_EQ(notes.size(), before + 1);
  EXPECT_THAT(notes, testing::Contains(testing::HasSubstr("2.0 times as long")));
  steps.resize(99);
  EXPECT_FALSE(slowest_tenth(steps));
}

/// Its steps take what the closed form predicts for the sequences that they have.
class PredictingBackend final : public Backend {
 public:
  explicit PredictingBackend(const Calibration& calibration) : calibration_(calibration) {}
  std::string name() const override { return "predicting"; }
  Result<MemoryUse> prepare(const Case& c, const Structure& structure) override {
    case_ = c;
    structure_ = structure;
    predictor_ = std::make_unique<StepPredictor>(case_, structure_, calibration_);
    return MemoryUse{};
  }
  Result<Timeline> run(const Graph&, const Step& step) override {
    return Timeline{.spans = {}, .end = predictor_->time(features(step))};
  }
  const Output& output() const override { return output_; }
  void keep_logits(bool) override {}
  void begin_memory_reads() override { ++begun; }
  std::optional<MemoryReads> end_memory_reads() override {
    --begun;
    return read;
  }
  std::unique_ptr<StepTimer> timer() override {
    struct Timer final : StepTimer {
      explicit Timer(PredictingBackend& b) : backend(b) {}
      Result<Nanoseconds> time(const Step& step) override {
        backend.output_.tokens.assign(step.slices.size(), 0);
        return backend.run(Graph{}, step)->end;
      }
      PredictingBackend& backend;
    };
    return std::make_unique<Timer>(*this);
  }

  std::optional<MemoryReads> read;
  int begun = 0;

 private:
  const Calibration& calibration_;
  Case case_;
  Structure structure_;
  std::unique_ptr<StepPredictor> predictor_;
  Output output_;
};

TEST_F(ServingStudy, WhatIsExecutedIsWhatIsPredictedWhereStepsTakeThePredictedTime) {
  const Scenario scenario = *load_scenario(write("s.yaml", served), library_);
  PredictingBackend backend(scenario.calibration);
  const Result<StudyResult> study = run_study(scenario, scenario.calibration, &backend, "", silent);
  ASSERT_TRUE(study);
  for (const VariantResult& v : study->variants) {
    ASSERT_TRUE(v.serving && v.serving->executed) << v.not_measured;
    const ServingRun &predicted = v.serving->predicted.run, &executed = v.serving->executed->run;
    ASSERT_EQ(predicted.requests.size(), executed.requests.size());
    EXPECT_EQ(predicted.steps, executed.steps) << v.name;
    for (std::size_t i = 0; i < predicted.requests.size(); ++i) {
      const RequestRecord &a = predicted.requests[i], &b = executed.requests[i];
      EXPECT_EQ(a.arrival, b.arrival) << v.name << i;
      EXPECT_EQ(a.admitted, b.admitted) << v.name << i;
      EXPECT_EQ(a.first_token, b.first_token) << v.name << i;
      EXPECT_EQ(a.last_token, b.last_token) << v.name << i;
    }
  }
}

TEST_F(ServingStudy, IsPredictedAgainForTheMemoryThatWasFound) {
  Scenario scenario = *load_scenario(write("s.yaml", served), library_);
  const BytesPerSecond known = scenario.baseline.cluster.device.memory_bandwidth.value;
  PredictingBackend backend(scenario.calibration);
  const auto study_of = [&] { return *run_study(scenario, scenario.calibration, &backend, "", silent); };
  const auto mean_of = [](const Served& s) { return s.metrics.tpot.mean; };
  const auto found_in = [](const StudyResult& study) {
    return study.variants[0].serving->as_found.has_value();
  };
  const StudyResult unseen = study_of();
  EXPECT_FALSE(found_in(unseen)) << "by a backend that does not look";
  EXPECT_TRUE(
      nlohmann::json::parse(results_json(unseen)).at("variants").at(0).at("predicted_as_found").is_null());

  EXPECT_TRUE(
      nlohmann::json::parse(results_json(unseen)).at("variants").at(0).at("memory_as_found").is_null());
  backend.read = {known, 100};
  EXPECT_FALSE(found_in(study_of())) << "of a device that no such backend calibrated";
  scenario.calibration.level = Level::calibrated;
  scenario.baseline.cluster.device.cache_retention = {{0.5, "test"}};
  for (Variant& v : scenario.variants) v.edited.cluster.device.cache_retention = {{0.5, "test"}};
  for (const VariantResult& v : study_of().variants) {
    ASSERT_TRUE(v.serving && v.serving->as_found) << v.name;
    EXPECT_EQ(mean_of(v.serving->as_found->predicted), mean_of(v.serving->predicted)) << v.name;
  }
  backend.read->looks = 3;
  EXPECT_FALSE(found_in(study_of())) << "too few looks";

  backend.read = {BytesPerSecond{1e-4 * known.value}, 100};  // its network is tiny
  const StudyResult slower = study_of();
  for (const VariantResult& v : slower.variants)
    EXPECT_GT(mean_of(v.serving->as_found->predicted), 1.2 * mean_of(v.serving->predicted)) << v.name;
  const auto json = nlohmann::json::parse(results_json(slower)).at("variants").at(0);
  EXPECT_GT(json.at("predicted_as_found").at("tpot_ms").at("mean"),
            json.at("predicted").at("tpot_ms").at("mean"));
  EXPECT_DOUBLE_EQ(json.at("memory_as_found").at("read_gb_per_s"), 1e-13 * known.value);
  EXPECT_EQ(json.at("memory_as_found").at("looks"), 100);
  EXPECT_DOUBLE_EQ(json.at("memory_as_found").at("predicted_at_gb_per_s"), 1e-9 * known.value);
  EXPECT_EQ(serving_errors(slower).rows.size(), 2 * serving_errors(unseen).rows.size());
  for (const Table::Row& row : serving_errors(slower).rows)
    EXPECT_EQ(row.cells.size(), serving_errors(slower).columns.size());
  EXPECT_THAT(serving_notes(slower), testing::Contains(testing::HasSubstr("(100 looks)")));
  EXPECT_EQ(backend.begun, 0);
}

TEST_F(ServingStudy, ItsJsonHasTheNamesThatBenchmarksHave) {
  const Scenario scenario = *load_scenario(write("s.yaml", served), library_);
  const StudyResult study = *run_study(scenario, scenario.calibration, nullptr, "--predict-only", silent);
  const auto json = nlohmann::json::parse(results_json(study));
  const auto& one = json.at("variants").at(0);
  for (const char* latency : {"ttft_ms", "tpot_ms", "itl_ms", "e2el_ms"}) {
    for (const char* of : {"mean", "p50", "p90", "p95", "p99"})
      EXPECT_TRUE(one.at("predicted").at(latency).at(of).is_number()) << latency << of;
  }
  for (const char* key : {"request_throughput", "output_throughput", "goodput", "completed", "rejected",
                          "preemptions", "kv_blocks", "utilisation", "steps", "simulated_s", "wall_s"})
    EXPECT_TRUE(one.at("predicted").at(key).is_number()) << key;
  EXPECT_TRUE(one.at("executed").is_null());
  const std::string html = report_html(study);
  for (const char* part : {"Latencies", "Load over time", "Requests and the service level", "twice the load"})
    EXPECT_NE(html.find(part), std::string::npos) << part;
  EXPECT_NE(results_table(study).find("TTFT mean"), std::string::npos);
}

TEST_F(ServingStudy, APipelineIsPredictedWithItsBubblesAndNotExecuted) {
  const std::string staged =
      "devices: 2\n" + served + "  - {name: two stages, set: {parallel.pipeline: 2}}\n";
  const Result<Scenario> scenario = load_scenario(write("s.yaml", staged), library_);
  ASSERT_TRUE(scenario) << told(scenario.error());
  RuleBackend backend;
  const StudyResult study = *run_study(*scenario, scenario->calibration, &backend, "", silent);
  const VariantResult& v = study.variants[3];
  ASSERT_TRUE(v.serving) << v.not_served;
  EXPECT_GT(*v.serving->predicted.metrics.bubbles, 0);
  EXPECT_FALSE(v.serving->executed);
  EXPECT_EQ(v.not_measured, "parallel.pipeline: steps are executed on one device");
  EXPECT_NE(results_table(study).find("bubbles %"), std::string::npos);
}

TEST_F(ServingStudy, AVariantWithoutRoomDoesNotStopTheOthers) {
  const std::string small =
      served +
      "  - {name: no room, set: {serving.kv_blocks: 0, "
      "serving.gpu_memory_utilization_percent: 1, architecture.intermediate: 1000000}}\n";
  const Scenario scenario = *load_scenario(write("s.yaml", small), library_);
  const StudyResult study = *run_study(scenario, scenario.calibration, nullptr, "--predict-only", silent);
  ASSERT_EQ(study.variants.size(), 4U);
  EXPECT_TRUE(study.variants[0].serving);
  EXPECT_FALSE(study.variants[3].serving);
  EXPECT_NE(results_table(study).find("no room: not served: no room for a KV cache"), std::string::npos);
}

TEST_F(ServingStudy, MistakesAreToldWhereTheyAre) {
  const auto says = [&](const std::string& text, const std::string& expected) {
    const Result<Scenario> scenario = load_scenario(write("s.yaml", text), library_);
    ASSERT_FALSE(scenario);
    EXPECT_NE(told(scenario.error()).find(expected), std::string::npos) << told(scenario.error());
  };
  const std::string head = "name: x\nmodel: tiny\ndevice: unit-gpu\n";
  says(right_scenario + "serving: {max_num_seqs: 4}\n",
       "s.yaml:5:10: error: serving: says how traffic: is served");
  says(right_scenario + "slo: {ttft: 1 s}\n",
       "s.yaml:5:6: error: slo: requests of traffic: are judged by it");
  says(served + "workload: {batch: 1, prompt_tokens: 4, output_tokens: 4}\n", "a static batch and traffic:");
  says(served + "  - {name: v, set: {serving.policy: fifo}}\n",
       "serving.policy: \"fifo\" is not one of static, orca, vllm-v0, vllm-v1, sarathi, decode-first");
  says(served + "  - {name: v, set: {serving.max_num_batched_tokens: 4}}\n",
       "serving.max_num_batched_tokens: 4 leaves no token for some of 8 sequences");
  says(served + "  - {name: v, set: {serving.preemption: swap, serving.allocation: predicted}}\n",
       "serving.preemption: only blocks of allocation paged are swapped");
  says(served + "  - {name: v, set: {serving.load: 0}}\n", "serving.load: must be above 0, is 0");
  says(head + "traffic: {requests: 5, arrivals: {process: poisson, requests_per_second: 0}}\n",
       "requests_per_second: must be above 0");
  says(head + "traffic: {file: none.csv}\n", "s.yaml:4:17: error: traffic.file: no such file");
}

TEST_F(ServingStudy, ItsTraceHasEachRequestFromArrivalToLastToken) {
  const Scenario scenario = *load_scenario(write("s.yaml", served), library_);
  const StudyResult study = *run_study(scenario, scenario.calibration, nullptr, "--predict-only", silent);
  const auto trace = nlohmann::json::parse(trace_json(study));
  const std::vector<RequestRecord>& requests = study.variants.front().serving->predicted.run.requests;
  std::vector<double> first(requests.size(), 1e300), last(requests.size(), -1), covered(requests.size());
  int counters = 0;
  for (const auto& event : trace.at("traceEvents")) {
    if (event.at("pid") != 1) continue;  // the first variant
    counters += event.at("ph") == "C" ? 1 : 0;
    if (event.value("cat", "") != "request") continue;
    const auto id = event.at("id").get<std::size_t>();
    const double at = event.at("ts").get<double>();
    first[id] = std::min(first[id], at), last[id] = std::max(last[id], at);
    covered[id] += event.at("ph") == "e" ? at : -at;
  }
  EXPECT_GT(counters, 0);
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const auto us = [](Nanoseconds t) { return std::chrono::duration<double, std::micro>(t).count(); };
    EXPECT_DOUBLE_EQ(first[i], us(requests[i].arrival));
    EXPECT_DOUBLE_EQ(last[i], us(requests[i].last_token));
    EXPECT_NEAR(covered[i], last[i] - first[i], 1e-3);  // slices follow one another
  }
}

TEST_F(ServingStudy, TracesHaveWhatEachPartOfAnInstanceDidAndItsExchanges) {
  const std::string divided = "devices: 2\n" + served_scenario(40, 64) +
                              "variants:\n  - {name: both share layers, set: {parallel.tensor: 2}}\n"
                              "  - {name: two stages, set: {parallel.pipeline: 2}}\n";
  const Scenario scenario = *load_scenario(write("s.yaml", divided), library_);
  const StudyResult study = *run_study(scenario, scenario.calibration, nullptr, "", silent);
  std::map<std::string, double> covered;  // of a category, variant by variant [us]
  std::map<int, std::string> processes;
  const auto trace = nlohmann::json::parse(trace_json(study));
  for (const auto& e : trace.at("traceEvents")) {
    const int process = e.at("pid");
    if (e.at("name") == "process_name") processes[process] = e.at("args").at("name");
    if (e.at("ph") != "X") continue;
    const std::string& title = processes.at(process);
    covered[title.substr(0, title.find(',')) + " " + e.at("cat").get<std::string>()] +=
        e.at("dur").get<double>();
  }
  const auto us = [](Nanoseconds t) { return std::chrono::duration<double, std::micro>(t).count(); };
  EXPECT_NEAR(covered["baseline step"], us(study.variants[0].serving->predicted.run.busy), 1);
  EXPECT_EQ(covered.count("baseline collective"), 0U);
  // What is exchanged is a part of the steps, and is what predictions of the same steps have.
  const ServingRun& tensor = study.variants[1].serving->predicted.run;
  const double exchanged = covered["both share layers collective"];
  EXPECT_GT(exchanged, 0);
  EXPECT_LT(exchanged, covered["both share layers step"]);
  const VariantResult& v = study.variants[1];
  double expected = 0;
  for (const ServedSpan& span : tensor.spans.spans()) {
    const Prediction p = predict(v.settings, v.structure, alike(span.totals), scenario.calibration);
    for (const Span& part : p.timeline.spans) {
      for (const std::int32_t n : part.nodes)
        expected += std::holds_alternative<AllReduce>(v.structure.nodes[static_cast<std::size_t>(n)].op)
                        ? static_cast<double>(span.steps) * us(part.duration)
                        : 0;
    }
  }
  EXPECT_NEAR(exchanged, expected, 1);
  const ServingRun& staged = study.variants[2].serving->predicted.run;
  EXPECT_NEAR(covered["two stages bubble"], us(staged.parts_time - staged.parts_busy), 1);
}

TEST_F(ServingStudy, RequestsAndLoadAreWrittenAsTables) {
  const Scenario scenario = *load_scenario(write("s.yaml", served), library_);
  const StudyResult study = *run_study(scenario, scenario.calibration, nullptr, "", silent);
  const std::string requests = requests_csv(study), load = timeline_csv(study);
  EXPECT_EQ(std::count(requests.begin(), requests.end(), '\n'), 1 + 3 * 40);
  const ServingRun& run = study.variants[0].serving->predicted.run;
  const RequestTimes first = times_of(run.requests[0], study.variants[0].serving->traffic->requests[0]);
  const std::string line = requests.substr(requests.find('\n') + 1, requests.find('\n', 150));
  EXPECT_TRUE(line.starts_with("baseline,predicted,0,0.000000,")) << line.substr(0, 80);
  EXPECT_NE(line.find(fmt::format(",{:.4f},", 1e3 * first.e2el.count())), std::string::npos);
  EXPECT_TRUE(
      load.starts_with("variant,by,pool,start_s,running,waiting,kv_blocks_used,busy_s,output_tokens\n"));
  // Tokens of all intervals are those of the run.
  std::int64_t tokens = 0;
  std::istringstream rows(load);
  for (std::string row; std::getline(rows, row);) {
    if (row.starts_with("baseline,")) tokens += std::stoll(row.substr(row.rfind(',') + 1));
  }
  EXPECT_EQ(tokens, run.output_tokens);
}

TEST_F(ServingStudy, EnergyAndCostAreToldWithWhatIsNotKnown) {
  const Scenario scenario = *load_scenario(write("s.yaml", served), library_);
  RuleBackend backend;
  StudyResult study = *run_study(scenario, scenario.calibration, &backend, "", silent);
  const auto variants = nlohmann::json::parse(results_json(study)).at("variants");
  const auto &predicted = variants.at(0).at("predicted"), &executed = variants.at(0).at("executed");
  for (const char* key : {"energy_j", "energy_per_output_token_j", "cost_per_million_output_tokens_usd",
                          "cost_per_million_total_tokens_usd"})
    EXPECT_GT(predicted.at(key).get<double>(), 0) << key;
  EXPECT_GT(predicted.at("mean_power_w").get<double>(), 20);  // idle
  EXPECT_LE(predicted.at("mean_power_w").get<double>(), 100);
  // Of the first watch: 612.3 W while steps ran, 20 W between them.
  const Served& run = *study.variants[0].serving->executed;
  const double busy = std::chrono::duration<double>(run.run.busy).count();
  EXPECT_NEAR(executed.at("energy_j").get<double>(), 20 * run.metrics.simulated_s + (612.3 - 20) * busy,
              1e-9);
  // Of the second only the clocks were seen.
  EXPECT_EQ(variants.at(1).at("executed").at("cost_not_known"),
            "power while steps were executed: not available");
  EXPECT_GT(executed.at("cost_per_million_output_tokens_usd").get<double>(), 0);
  for (const std::string& text : {results_table(study), report_markdown(study), report_html(study)}) {
    EXPECT_NE(text.find("J/output token"), std::string::npos);
    EXPECT_NE(text.find("energy and cost: not known: power while steps were executed"), std::string::npos);
  }
  for (VariantResult& v : study.variants)
    v.serving->predicted.metrics.cost = v.serving->executed->metrics.cost = {.not_known = "no power"};
  for (const std::string& text : {results_table(study), report_markdown(study), report_html(study)}) {
    EXPECT_EQ(text.find("J/output token"), std::string::npos);
    EXPECT_NE(text.find("energy and cost: not known: no power"), std::string::npos);
  }
}

TEST_F(ServingStudy, DurationsOfStepsThatAreAlikeAreReusedAndNamedSo) {
  const std::string cuda = "{backend: \"cuda:0\"}";
  std::string text = served;
  text.replace(text.find(cuda), cuda.size(), "{backend: \"cuda:0\", durations: reused}");
  const Scenario scenario = *load_scenario(write("s.yaml", text), library_);
  RuleBackend backend;
  const StudyResult study = *run_study(scenario, scenario.calibration, &backend, "", silent);
  const ServingResult& result = *study.variants.front().serving;
  const auto executed = static_cast<std::int64_t>(result.steps.size());
  EXPECT_LT(executed, result.executed->metrics.steps);
  EXPECT_EQ(result.executed->metrics.completed, 40);
  const std::string note = "baseline: executed, durations reused: " + std::to_string(executed) + " of " +
                           std::to_string(result.executed->metrics.steps) + " steps executed";
  EXPECT_NE(results_table(study).find(note), std::string::npos);
  EXPECT_NE(report_html(study).find(note), std::string::npos);
  const auto json = nlohmann::json::parse(results_json(study)).at("variants").at(0);
  EXPECT_EQ(json.at("executed_durations"), "reused");
}

TEST_F(ServingStudy, DurationsAreExecutedOrReusedAndOfTraffic) {
  const auto says = [&](const std::string& text) {
    return told(load_scenario(write("s.yaml", text), library_).error());
  };
  EXPECT_EQ(says(right_scenario + "execute: {backend: \"cuda:0\", durations: often}\n"),
            "s.yaml:5:41: error: execute.durations: \"often\" is not one of executed, reused\n");
  EXPECT_EQ(says(right_scenario + "execute: {backend: \"cuda:0\", durations: reused}\n"),
            "s.yaml:5:10: error: execute: durations: steps of traffic: are reused; there is none\n");
}

}  // namespace
}  // namespace inferometer
