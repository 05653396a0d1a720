#include "scenarios/check_edits.hpp"

#include "tests/scenarios/files_for_tests.hpp"

namespace inferometer {
namespace {

class SettingsWithoutEffect : public InFolder {
 protected:
  std::string error_of(const std::string& text) const {
    const Result<Scenario> s = load_scenario(write("s.yaml", text), library_);
    return s ? "" : told(s.error());
  }
};

TEST_F(SettingsWithoutEffect, AreRefusedWhereTheyAreSet) {
  const std::string served = served_scenario(40, 64), variant = "variants: [{name: v, set: {";
  EXPECT_EQ(error_of(served + variant + "serving.load: 2}}]\n"), "");
  EXPECT_EQ(error_of(served + variant + "workload.batch: 2}}]\n"),
            "s.yaml:11:44: error: variant \"v\": workload.batch: is of a static batch; traffic: is served\n");
  EXPECT_EQ(error_of(served + variant + "draws.seed: 2}}]\n"),
            "s.yaml:11:40: error: variant \"v\": draws.seed: traffic: is drawn once for all runs, by seed:; "
            "`capacity` draws it several times\n");
  EXPECT_EQ(error_of(served + "sweep: {draws.seed: [1, 2]}\n"),
            "s.yaml:11:9: error: sweep.draws.seed: traffic: is drawn once for all runs, by seed:; `capacity` "
            "draws it several times\n");
  EXPECT_EQ(error_of(right_scenario + variant + "serving.max_num_seqs: 2}}]\n"),
            "s.yaml:5:50: error: variant \"v\": serving.max_num_seqs: says how traffic: is served; there is "
            "none\n");
  std::string closed = served;
  const std::string process = "{process: poisson, requests_per_second: 2000}";
  closed.replace(closed.find(process), process.size(), "{process: closed, concurrency: 4}");
  EXPECT_EQ(error_of(closed + variant + "serving.load: 2}}]\n"),
            "s.yaml:11:42: error: variant \"v\": serving.load: arrivals of a closed loop have no rate\n");
}

TEST_F(SettingsWithoutEffect, DecodesThatAreNeverReachedAreTold) {
  const std::string served = served_scenario(40, 64);
  const auto with = [&](const std::string& more) {
    return error_of(served + "variants: [{name: v, set: {serving.policy: decode-first" + more + "}}]\n");
  };
  EXPECT_EQ(with(", serving.min_decodes: 4"), "");
  EXPECT_NE(with("").find("serving.min_decodes: 128 sequences that decode are never reached with 8"),
            std::string::npos);
  EXPECT_NE(with(", serving.min_decodes: 0").find("serving.min_decodes: must be 1 to 1000000, is 0"),
            std::string::npos);
}

TEST_F(SettingsWithoutEffect, AServiceLevelHasALimit) {
  std::string text = served_scenario(40, 64);
  const std::string limits = "ttft: 2 ms, tpot: 1 ms";
  text.replace(text.find(limits), limits.size(), "attainment: 0.99");
  EXPECT_EQ(error_of(text), "s.yaml:9:19: error: slo.attainment: of what: ttft, tpot or e2el is needed\n");
}

}  // namespace
}  // namespace inferometer
