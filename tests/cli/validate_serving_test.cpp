#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/cli/program.hpp"

namespace inferometer {
namespace {

TEST(ValidateServing, PredictsPublishedPointsWithinTheLimits) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "too slow with sanitizers";
#endif
  if (std::getenv("INFEROMETER_DATA") == nullptr) GTEST_SKIP() << "INFEROMETER_DATA is not set";
  const Ran run =
      run_program("validate serving --require " INFEROMETER_SOURCE "/scenarios/limits/serving.yaml");
  EXPECT_EQ(run.code, 0) << run.printed;
  for (const std::string part :
       {"profile of trtllm", "profile of vllm", "not predicted", "worst times per token"})
    EXPECT_NE(run.printed.find(part), std::string::npos) << part;
}

TEST(ValidateServing, WhatIsWrongWithItsOptionsIsTold) {
  const Ran part = run_program("validate serving --fit-on 120%");
  EXPECT_EQ(part.code, 2);
  EXPECT_NE(part.printed.find("a part between 0 and 100 % is needed"), std::string::npos) << part.printed;
  const Ran data = run_program("validate serving --data /nowhere");
  EXPECT_EQ(data.code, 2);
  EXPECT_NE(data.printed.find("/nowhere/e2e_serving/agg_h200_b200.csv"), std::string::npos) << data.printed;
}

}  // namespace
}  // namespace inferometer
