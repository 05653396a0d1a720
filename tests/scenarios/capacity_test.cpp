#include "scenarios/capacity.hpp"

#include "tests/scenarios/files_for_tests.hpp"

namespace inferometer {
namespace {

const std::string served =
    served_scenario(300, 640) +
    "variants:\n"
    "  - {name: twice the traffic, set: {serving.load: 2}}\n"
    "  - {name: two replicas, set: {serving.replicas: 2}}\n"
    "  - {name: no room, set: {serving.kv_blocks: 0, serving.gpu_memory_utilization_percent: 1,\n"
    "      architecture.intermediate: 1000000}}\n";

class Capacity : public InFolder {
 protected:
  Result<CapacityStudy> capacities(const std::string& text, std::size_t threads = 2) const {
    const Result<Scenario> s = load_scenario(write("s.yaml", text), library_);
    if (!s) return failure(s.error());
    return find_capacities(*s, {.seeds = 3}, threads, [](const std::string&, double) {});
  }
  void says(std::string text, const std::string& from, const std::string& to,
            const std::string& expected) const {
    text.replace(text.find(from), from.size(), to);
    const Result<CapacityStudy> found = capacities(text);
    ASSERT_FALSE(found) << expected;
    EXPECT_NE(told(found.error()).find(expected), std::string::npos) << told(found.error());
  }
};

TEST_F(Capacity, IsOfTheServerAndNotOfTheRateThatTheTrafficHas) {
  const Result<CapacityStudy> study = capacities(served);
  ASSERT_TRUE(study) << told(study.error());
  ASSERT_EQ(study->variants.size(), 4U);
  const auto& [baseline, twice, two, none] =
      std::tie(study->variants[0], study->variants[1], study->variants[2], study->variants[3]);
  ASSERT_EQ(baseline.draws.size(), 3U);
  for (std::size_t d = 0; d < 3; ++d) {
    const DrawCapacity& one = baseline.draws[d];
    ASSERT_EQ(one.edge.kind, LoadEdge::Kind::edge);
    EXPECT_GE(*one.edge.met.slo_attainment, 0.9);
    EXPECT_LT(*one.edge.missed.slo_attainment, 0.9);
    EXPECT_NEAR(twice.draws[d].rate() / one.rate(), 1, 0.011);
    EXPECT_GT(two.draws[d].rate(), 1.3 * one.rate());
    EXPECT_EQ(two.draws[d].seed, one.seed);
  }
  EXPECT_NE(baseline.draws[0].offered, baseline.draws[1].offered);
  EXPECT_NE(none.not_served.find("no room for a KV cache"), std::string::npos);
}

TEST_F(Capacity, IsTheSameForAnyNumberOfThreads) {
  const Result<CapacityStudy> one = capacities(served, 1), two = capacities(served, 2);
  ASSERT_TRUE(one && two);
  for (std::size_t v = 0; v < one->variants.size(); ++v) {
    const auto &a = one->variants[v].draws, &b = two->variants[v].draws;
    ASSERT_EQ(a.size(), b.size());
    for (std::size_t d = 0; d < a.size(); ++d) {
      EXPECT_EQ(a[d].rate(), b[d].rate());
      EXPECT_EQ(a[d].edge.runs, b[d].edge.runs);
    }
  }
}

TEST_F(Capacity, ARecordedTraceIsOneDraw) {
  std::string rows = "arrived_at,num_prefill_tokens,num_decode_tokens\n";
  for (int i = 0; i < 100; ++i) rows += std::to_string(0.001 * i) + ",20,8\n";
  write("trace.csv", rows);
  const Result<CapacityStudy> study = capacities(
      "name: t\nmodel: tiny\ndevice: unit-gpu\ntraffic: {file: trace.csv}\nslo: {ttft: 1 ms}\n"
      "serving: {kv_blocks: 64, max_num_seqs: 8, max_num_batched_tokens: 64}\n");
  ASSERT_TRUE(study) << told(study.error());
  EXPECT_EQ(study->variants[0].draws.size(), 1U);
  EXPECT_NE(study->why_one.find("recorded"), std::string::npos);
  EXPECT_NEAR(study->variants[0].draws[0].offered, 1000, 1e-6);
}

TEST_F(Capacity, OfTrafficWithoutARateThereIsNone) {
  says(served, "slo: {ttft: 2 ms, tpot: 1 ms}\n", "",
       "s.yaml: error: capacity is the rate up to which slo: is met; the scenario has none");
  says(served_scenario(300, 640), "{process: poisson, requests_per_second: 2000}",
       "{process: closed, concurrency: 4}", "closed loop has none");
  says(served, "requests: 300", "requests: 1", "arrive at once");
  says(right_scenario, "", "", "capacity is of traffic:");
  says(served, "tpot: 1 ms", "attainment: 1.5",
       "s.yaml:9:31: error: slo.attainment: must be above 0, up to 1");
}

TEST_F(Capacity, IsNotToldOfSessionsThatOutliveTheirArrivals) {
  std::string text = served_scenario(300, 640);
  const std::string arrivals = "  arrivals: ";
  text.insert(text.find(arrivals), "  sessions: {turns: 3, think_time: 10 s}\n");
  const Result<CapacityStudy> study = capacities(text);
  ASSERT_TRUE(study) << told(study.error());
  EXPECT_NE(study->variants[0].not_served.find("sessions go on long after the last one has begun"),
            std::string::npos)
      << study->variants[0].not_served;
}

}  // namespace
}  // namespace inferometer
