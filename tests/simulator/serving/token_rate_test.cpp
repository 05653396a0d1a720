#include "simulator/serving/token_rate.hpp"

#include <gtest/gtest.h>

#include "tests/simulator/serving/workloads.hpp"

namespace inferometer {
namespace {

using namespace serving_test;

Traffic of_100_and_20_tokens() {
  Traffic traffic;
  traffic.requests = {{.prompt_tokens = 80, .output_tokens = 30},
                      {.prompt_tokens = 120, .output_tokens = 10}};
  return traffic;
}

PoolSettings pool(PoolRole role) {
  PoolSettings p{.instance = server(BatchingPolicy::vllm_v1, 70).instance};
  p.instance.role = role;
  p.instance.serving.max_num_batched_tokens = 256;
  p.instance.serving.max_num_seqs = 32;
  return p;
}

/// A step of one microsecond, and one for each token of its group.
Nanoseconds of_group(const StepTotals& step) {
  return Nanoseconds{1000 * (1 + std::max(step.tokens(), step.group_tokens))};
}

double in_us(const PoolSettings& p) {
  return 1e6 * time_per_token(p, of_100_and_20_tokens(), of_group).count();
}

TEST(TokenRate, IsOfAFullStepOfWhatAPoolDoes) {
  // Prompts: two of 100 tokens fit 256. Decodes: 70 blocks of 16 hold 10 sequences of 110 tokens.
  EXPECT_NEAR(in_us(pool(PoolRole::prefill)), 201.0 / 200, 1e-12);
  EXPECT_NEAR(in_us(pool(PoolRole::decode)), 11.0 / 10, 1e-12);
  EXPECT_NEAR(in_us(pool(PoolRole::both)), (100 * 201.0 / 200 + 20 * 11.0 / 10) / 120, 1e-12);
}

TEST(TokenRate, PartsOfAReplicaWorkAtTheSameTime) {
  // Four stages share the ten sequences that fit: batches of two.
  PoolSettings staged = pool(PoolRole::both);
  staged.stages = 4;
  EXPECT_NEAR(in_us(staged), (100 * 201.0 / 200 / 4 + 20 * 3.0 / 2 / 4) / 120, 1e-12);
  // Replicas of attention: each has a batch, and the experts the tokens of all.
  PoolSettings shared = pool(PoolRole::decode);
  shared.ranks = 2;
  EXPECT_NEAR(in_us(shared), 21.0 / 20, 1e-12);
}

}  // namespace
}  // namespace inferometer
