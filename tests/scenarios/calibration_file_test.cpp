#include "scenarios/calibration_file.hpp"

#include <gtest/gtest.h>

#include "model/seeded.hpp"
#include "roofline/fitting/fit_model.hpp"
#include "roofline/steps/step_models.hpp"

namespace inferometer {
namespace {

Chip round_chip() {
  return {.sms = 100, .clock = 1000, .bandwidth = 4e6, .l2 = 50e6, .flops = 1e9, .bf16_flops = 1e9};
}

/// Products that take longer than the model says, by a factor that grows with n and some noise.
std::vector<Sample> some_samples() {
  std::vector<Sample> samples;
  for (const std::int64_t n : {512, 1024, 3000, 6144, 12288}) {
    for (const std::int64_t m : {1, 64, 1024, 4096}) {
      const Gemm call{.m = m, .n = n, .k = 4096};
      const double factor =
          1 + 1e-5 * static_cast<double>(n) + 0.02 * static_cast<double>(seeded_uniform(7, samples.size()));
      const double us = call.time(round_chip(), generic_values(call.parameters())).total * factor;
      const Sample sample{.call = call, .chip = round_chip(), .measured = us};
      samples.push_back(sample);
    }
  }
  return samples;
}

const KernelCalibration& example() {
  static const KernelCalibration fitted{
      .device = "round",
      .date = "2026-11-27",
      .sources = {{"a \"b\".csv", "0123456789abcdef", 20}},
      .gaps = {{LaunchMode::eager, {Seconds{1.5e-6}, Seconds{2e-6}, Seconds{7.25e-6}}},
               {LaunchMode::eager_overlap, {Seconds{0.1e-6}, Seconds{1e-6}}},
               {LaunchMode::graph, {Seconds{0.3e-6}, Seconds{0.4e-6}}}},
      .power_limit = PowerLimit{.memory = 0.625, .compute = 1.875},
      .parameters = {{"copy_efficiency", 0.795}},
      .models = fit_kernels(some_samples())};
  return fitted;
}

/// The example's text with `from` replaced and, where `hashed`, a hash that fits.
std::string told_with(const std::string& from, const std::string& to, bool hashed = true) {
  std::string text = print_calibration(example());
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  text.replace(at, from.size(), to);
  if (hashed) {
    const std::string body = text.substr(hashed_from(text));
    text = "# one\nhash: \"" + content_hash(body) + "\"\n" + body;
  }
  const auto read = read_calibration(text, "c.yaml");
  return read ? "" : to_string(read.error());
}

TEST(CalibrationFile, PredictsTheSameWhenReadBack) {
  const std::string text = print_calibration(example());
  const auto read = read_calibration(text, "c.yaml");
  ASSERT_TRUE(read) << to_string(read.error());
  EXPECT_EQ(read->sources.front().file, "a \"b\".csv");
  const OperatorAndVariant key{"gemm", "bf16"};
  ASSERT_TRUE(read->models.at(key).residual.on());
  EXPECT_EQ(read->models.at(key).rows, 20U);
  ASSERT_EQ(read->gaps.size(), 3U);
  const Gaps eager = read->gaps.at(LaunchMode::eager), overlap = read->gaps.at(LaunchMode::eager_overlap);
  EXPECT_NEAR(eager.dispatch->count(), 7.25e-6, 1e-15);
  EXPECT_NEAR(eager.at_library.count(), 2e-6, 1e-15);
  EXPECT_FALSE(overlap.dispatch) << "files from before it was measured";
  const StepModels models({}, read->gaps);
  EXPECT_EQ(models.gaps(LaunchMode::eager_overlap, Device{}).dispatch, eager.dispatch) << "the same host";
  EXPECT_EQ(models.gaps(LaunchMode::graph, Device{}).dispatch, Seconds{0});
  EXPECT_EQ(read->parameters, example().parameters);
  ASSERT_TRUE(read->power_limit);
  EXPECT_EQ(read->power_limit->memory, 0.625);
  EXPECT_EQ(read->power_limit->compute, 1.875);
  for (const Level level : {Level::calibrated, Level::residual_corrected}) {
    for (const std::int64_t n : {512, 2000, 7000, 50000}) {
      const Gemm call{.m = 48, .n = n, .k = 4096};
      const KernelPrediction before = example().models.at(key).predict(call, round_chip(), level);
      const KernelPrediction after = read->models.at(key).predict(call, round_chip(), level);
      EXPECT_NEAR(after.time / before.time, 1, 1e-6);
      EXPECT_NEAR(after.low / before.low, 1, 1e-6);
      EXPECT_NEAR(after.high / before.high, 1, 1e-6);
    }
  }
}

TEST(CalibrationFile, TellsWhatIsWrongWhereItIs) {
  EXPECT_NE(
      told_with("rows: 20\n", "rows: 21\n", false).find("c.yaml:2:7: error: hash: the text below it was"),
      std::string::npos);
  EXPECT_EQ(told_with("format: 9", "format: 5"),
            "c.yaml:3:9: error: format: is 5, only 9 is read: calibrate anew\n");
  EXPECT_NE(told_with("      floor: {value: ", "      floor: {value: 9").find("value: must be "),
            std::string::npos);
  const std::string misspelt = told_with("      floor:", "      flor:");
  EXPECT_NE(misspelt.find("unknown key \"flor\"; did you mean \"floor\""), std::string::npos);
  EXPECT_NE(misspelt.find("missing key \"floor\""), std::string::npos);
  EXPECT_EQ(misspelt.find("unit"), std::string::npos) << "what is missing has no unit";
  EXPECT_NE(told_with("unit: \"us\"", "unit: \"ms\"").find("unit: \"ms\" is not \"us\""), std::string::npos);
  EXPECT_NE(told_with("variant: \"bf16\"", "variant: \"bf17\"").find("no kernel is called gemm bf17"),
            std::string::npos);
  EXPECT_NE(told_with("mixed: [", "mixed: [-").find("two positive factors"), std::string::npos);
  EXPECT_NE(told_with("        - [", "        - [x, ").find("a list of 4 numbers"), std::string::npos);
  EXPECT_NE(told_with("dispatch: 7.25 us", "dispatch: -7.25 us").find("dispatch"), std::string::npos);
  EXPECT_NE(told_with("at_library: 0.4 us", "at_library: 0.4 us, dispatch: 1 us").find("recorded graph"),
            std::string::npos);
  EXPECT_NE(
      told_with("copy_efficiency: {value: 0.795", "copy_efficiency: {value: 7").find("must be 0.2 to 1.5"),
      std::string::npos);
  EXPECT_NE(told_with("compute: 1.875", "compute: -1").find("compute: must be 0 to 100, is -1"),
            std::string::npos);
  EXPECT_NE(told_with("{memory: 0.625, ", "{").find("memory"), std::string::npos);
  EXPECT_NE(told_with("copy_efficiency: {value: 0.795", "memory_efficiency: {value: 0.795")
                .find("is not of copies"),
            std::string::npos);
  EXPECT_NE(told_with("  copy_efficiency", "  copy_eficiency").find("did you mean \"copy_efficiency\""),
            std::string::npos);
  EXPECT_NE(told_with("noise: ", "noise: -").find("noise: must be positive"), std::string::npos);
  EXPECT_NE(told_with("models:", "models: [").find("c.yaml:"), std::string::npos);
}

}  // namespace
}  // namespace inferometer
