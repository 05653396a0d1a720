#pragma once
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "scenarios/files.hpp"
#include "scenarios/scenario.hpp"

namespace inferometer {

/// A folder of its own for each test, gone afterwards.
class InFolder : public testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(folder_); }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path write(const std::string& name, const std::string& text) const {
    EXPECT_TRUE(write_file(folder_ / name, text));
    return folder_ / name;
  }
  /// The scenario of a right text; an empty one where it is not.
  Scenario loaded(const std::string& text) const {
    const Result<Scenario> scenario = load_scenario(write("s.yaml", text), library_);
    EXPECT_TRUE(scenario) << told(scenario.error());
    return scenario ? *scenario : Scenario{};
  }
  /// The messages for `errors`, without this folder's name.
  std::string told(const Errors& errors) const {
    std::string text = to_string(errors);
    const std::string prefix = folder_.string() + "/";
    for (std::size_t at; (at = text.find(prefix)) != std::string::npos;) text.erase(at, prefix.size());
    return text;
  }

  const std::filesystem::path folder_ = std::filesystem::path{testing::TempDir()} /
                                        ("inferometer-" + std::to_string(getpid()) + "-" +
                                         testing::UnitTest::GetInstance()->current_test_info()->name());
  const Library library_{.root = std::filesystem::path{INFEROMETER_FIXTURES} / "library",
                         .calibration = folder_ / "calibration"};
};

/// A scenario that is right, in pieces that tests replace.
inline const std::string right_scenario =
    "name: right\n"
    "model: tiny\n"
    "device: unit-gpu\n"
    "workload: {batch: 1, prompt_tokens: 16, output_tokens: 4}\n";

/// One with traffic, for variants and sections of tests to follow.
inline std::string served_scenario(std::int64_t requests, std::int64_t kv_blocks) {
  return "name: served\n"
         "model: tiny\n"
         "device: unit-gpu\n"
         "traffic:\n"
         "  requests: " +
         std::to_string(requests) +
         "\n"
         "  prompt_tokens: {mean: 20, cv: 0.5}\n"
         "  output_tokens: {mean: 8, cv: 0.5}\n"
         "  arrivals: {process: poisson, requests_per_second: 2000}\n"
         "slo: {ttft: 2 ms, tpot: 1 ms}\n"
         "serving: {kv_blocks: " +
         std::to_string(kv_blocks) + ", max_num_seqs: 8, max_num_batched_tokens: 64}\n";
}

}  // namespace inferometer
