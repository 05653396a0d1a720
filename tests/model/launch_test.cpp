#include "model/launch.hpp"

#include <gtest/gtest.h>

namespace inferometer {
namespace {

Features step_of(std::vector<AttentionSlice> slices) {
  Features f;
  f.sequences = static_cast<std::int64_t>(slices.size());
  f.slices = std::move(slices);
  return f;
}
Plan graphs() {
  Plan plan;
  plan.launch = {.graphs = true, .batch_buckets = {8, 2, 4}};
  return plan;
}

TEST(Recorded, DecodeStepsAreAndStepsWithPromptsAreNot) {
  EXPECT_TRUE(recorded(step_of({{1, 5}, {1, 9}}), graphs()));
  EXPECT_FALSE(recorded(step_of({{1, 5}, {3, 0}}), graphs()));
  EXPECT_FALSE(recorded(step_of({{1, 5}}), Plan{}));
}

TEST(Recorded, NaiveAttentionIsNot) {
  Plan plan = graphs();
  plan.kernels.attention = AttentionKernel::naive;
  EXPECT_FALSE(recorded(step_of({{1, 5}}), plan));
}

TEST(PaddingSequences, FillTheNextBucket) {
  EXPECT_EQ(padding_sequences(step_of({{1, 5}}), graphs()), 1);
  EXPECT_EQ(padding_sequences(step_of({{1, 5}, {1, 5}}), graphs()), 0);
  EXPECT_EQ(padding_sequences(step_of({{1, 5}, {1, 5}, {1, 5}}), graphs()), 1);
  EXPECT_EQ(padding_sequences(step_of(std::vector<AttentionSlice>(9, {1, 5})), graphs()), 0)
      << "too many for any";
  EXPECT_EQ(padding_sequences(step_of({{4, 0}}), graphs()), 0) << "launched eagerly";
}

}  // namespace
}  // namespace inferometer
