#include "served/replay.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>

namespace inferometer {
namespace {

/// A run of vLLM 0.19 whose cache is always full, so that admission and preemption matter as much as kernels.
/// LLMServingSim, which measured it, comes within 1 % itself.
TEST(Replay, OfARealEnginesRunTakesWhatItTook) {
  const char* data = std::getenv("INFEROMETER_DATA");
  if (data == nullptr) GTEST_SKIP() << "INFEROMETER_DATA is not set";
  const std::filesystem::path root{data};
  const Library library{.root = std::filesystem::path{INFEROMETER_SOURCE} / "scenarios", .calibration = {}};
  const Result<Replay> replay =
      replay_run(root / "e2e_vllm_rtx4090_llama31_8b", root / "traces" / "sharegpt_llama31_300.csv", library);
  ASSERT_TRUE(replay) << to_string(replay.error());
  EXPECT_EQ(replay->requests, 300);
  ASSERT_EQ(replay->figures.size(), 15U);
  for (const Replay::Figure& f : replay->figures)
    EXPECT_LT(std::fabs(f.error_percent()), 1) << f.latency << ' ' << f.statistic;
  EXPECT_EQ(replay->blocks_of_engine, 2588);
  EXPECT_NEAR(static_cast<double>(replay->blocks_computed) / 2588, 1, 0.05);
}

TEST(Replay, SaysWhatItCannotRead) {
  const Result<Replay> replay = replay_run("no/such/folder", "none.csv", {});
  ASSERT_FALSE(replay);
  EXPECT_NE(to_string(replay.error()).find("run.json"), std::string::npos);
}

}  // namespace
}  // namespace inferometer
