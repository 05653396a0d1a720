#include "scenarios/step_profile.hpp"

#include "scenarios/study.hpp"
#include "tests/scenarios/files_for_tests.hpp"

namespace inferometer {
namespace {

class StepProfiles : public InFolder {
 protected:
  /// A layer takes 50 us for the tokens and 9 us for attention, a step 3 us and 1 ms beside its layers.
  void write_profile() const {
    write("prof/dense.csv", "layer,tokens,time_us\nqkv_proj,1,50\nembedding,1,3\n");
    write("prof/per_sequence.csv", "layer,sequences,time_us\nlm_head,1,1000\n");
    write("prof/attention.csv",
          "prefill_chunk,kv_prefill,n_decode,kv_decode,time_us\n0,0,1,16,9\n16,0,0,0,9\n1,0,0,0,9\n");
  }
  std::string told_of(const std::string& more) const {
    const Result<Scenario> scenario = load_scenario(write("s.yaml", served_scenario(4, 64) + more), library_);
    return scenario ? "" : told(scenario.error());
  }
};

TEST_F(StepProfiles, TimeTheStepsOfTraffic) {
  write_profile();
  const Result<Scenario> scenario = load_scenario(
      write("s.yaml", served_scenario(1, 64) + "profile: {folder: prof}\n"
                                               "variants: [{name: small, set: {serving.max_num_seqs: 1}}]\n"),
      library_);
  ASSERT_TRUE(scenario) << told(scenario.error());
  EXPECT_NE(scenario->calibration.source.find("steps of traffic by profile "), std::string::npos);
  const Result<StudyResult> study =
      run_study(*scenario, scenario->calibration, nullptr, "no", [](const std::string&, double) {});
  ASSERT_TRUE(study) << told(study.error());
  const Served& served = study->variants[0].serving->predicted;
  const auto layers = static_cast<double>(scenario->baseline.model().layers);
  // One request alone: its prompt, then decodes, each of which takes what the profile says of one token.
  const double step = 1e-6 * (layers * (50 + 9) + 3 + 1000);
  EXPECT_NEAR(served.metrics.tpot.mean.count(), step, 1e-9);
  EXPECT_FALSE(served.metrics.cost.energy);
  EXPECT_NE(served.metrics.cost.not_known.find("profile"), std::string::npos);
}

TEST_F(StepProfiles, RefuseWhatTheyDoNotFollow) {
  write_profile();
  const std::string profile = "profile: {folder: prof}\n";
  EXPECT_EQ(told_of(profile), "");
  EXPECT_NE(told_of(profile + "variants: [{name: v, set: {precision.weights: int8}}]\n")
                .find("variant \"v\": precision.weights: kernels that a profile: measured do not follow it"),
            std::string::npos);
  EXPECT_NE(told_of(profile + "sweep: {device: [unit-gpu]}\n").find("sweep.device: kernels that a profile:"),
            std::string::npos);
  EXPECT_NE(told_of(profile + "pools: [{name: p}]\n").find("pools: kernels that a profile:"),
            std::string::npos);
  EXPECT_NE(
      told_of("profile: {folder: prof, mlp: m.csv}\n").find("profile: {folder: FOLDER} of LLMServingSim"),
      std::string::npos);
  EXPECT_NE(told_of("profile: {folder: none}\n").find("none/dense.csv"), std::string::npos);
  EXPECT_NE(told_of(profile + "variants: [{name: v, set: {launch.overlap: true}}]\n")
                .find("launch.overlap: kernels"),
            std::string::npos);
}

TEST_F(StepProfiles, AreOfTheScenariosNetworkAndWeights) {
  write_profile();
  const Result<Scenario> scenario = load_scenario(write("s.yaml", served_scenario(4, 64)), library_);
  ASSERT_TRUE(scenario);
  const Architecture& model = scenario->baseline.model();
  const std::string profile = "profile: {folder: prof}\n";
  write("prof/meta.yaml",
        "gpu: Some GPU\nvariant: bf16\nengine_effective: {hf_overrides: {num_attention_heads: " +
            std::to_string(model.heads) + "}}\n");
  EXPECT_EQ(told_of(profile), "");
  EXPECT_NE(told_of(profile + "plan: {precision: {weights: fp8}}\n")
                .find("is of weights in bf16, precision.weights is fp8"),
            std::string::npos);
  write("prof/meta.yaml", "engine_effective: {hf_overrides: {num_attention_heads: 77}}\n");
  EXPECT_NE(told_of(profile).find("heads 77 instead of " + std::to_string(model.heads)), std::string::npos);
}

}  // namespace
}  // namespace inferometer
