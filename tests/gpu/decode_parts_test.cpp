#include <gtest/gtest.h>

#include "executor/cuda/decode_choice.hpp"
#include "executor/cuda/inputs.hpp"

namespace inferometer::cuda {
namespace {

TEST(DecodeParts, AreAsManyAsLeaveNoneLongerThanTheLongestSequences) {
  const std::vector<Sequence> sequences{
      {.fresh = 1, .cached = 999}, {.fresh = 1, .cached = 599}, {.fresh = 1}};
  const std::vector<DecodePart> parts = parts_of(sequences, 4, 10);  // of 250 keys at most
  ASSERT_EQ(parts.size(), 10U);
  const std::int32_t of[] = {4, 4, 4, 4, 3, 3, 3, 1, 0, 0}, first[] = {0, 0, 0, 0, 4, 4, 4, 7, 0, 0};
  for (std::size_t i = 0; i < parts.size(); ++i) {
    EXPECT_EQ(parts[i].of, of[i]) << i;
    EXPECT_EQ(parts[i].first, first[i]) << i;
    EXPECT_EQ(parts[i].part, of[i] > 0 ? static_cast<std::int32_t>(i) - first[i] : 0) << i;
  }
  EXPECT_EQ(parts[5].sequence.cached, 599);
  EXPECT_EQ(parts[5].index, 1);
  EXPECT_TRUE(parts_of(sequences, 4, 0).empty());
}

Step decoding(std::int64_t count, std::int64_t keys, std::int64_t longest) {
  Step step;
  for (std::int64_t i = 0; i < count; ++i)
    step.slices.push_back({.sequence = i, .fresh = 1, .cached = (i == 0 ? longest : keys) - 1});
  return step;
}

TEST(DecodeParts, OfALongSequenceAmongShortOnesAreListedWithRoom) {
  const KvCache cache{.kv_heads = 8, .head_dim = 128, .v_dim = 128};
  const Step step = decoding(96, 350, 3000);
  const DecodeChoice choice = decode_choice(step, cache, 4, true, 132);
  ASSERT_GT(choice.splits, 1);
  std::int64_t parts = 0;
  for (const Slice& s : step.slices) parts += decode_parts(s.cached + 1, 3000, choice.splits);
  EXPECT_GE(choice.parts, parts);
  EXPECT_LE(choice.parts, parts * 5 / 4 + 8);
  // A graph that was recorded for as many parts serves other lengths.
  const DecodeChoice longer = decode_choice(decoding(96, 360, 3090), cache, 4, true, 132);
  EXPECT_EQ(recorded_choice(choice), recorded_choice(longer));
  EXPECT_NE(recorded_choice(choice),
            recorded_choice(decode_choice(decoding(120, 350, 3000), cache, 4, true, 132)));
}

TEST(DecodeParts, AreNotListedWhereAllSequencesHaveOneOrClustersJoinThem) {
  const KvCache cache{.kv_heads = 8, .head_dim = 128, .v_dim = 128};
  EXPECT_EQ(decode_choice(decoding(96, 350, 350), cache, 4, true, 132).parts, 0);
  const DecodeChoice alike = decode_choice(decoding(18, 9000, 9000), cache, 4, true, 132);
  EXPECT_GT(alike.splits, 1);
  EXPECT_EQ(alike.parts, 0);
  const DecodeChoice few = decode_choice(decoding(8, 1000, 1000), cache, 4, true, 132);
  EXPECT_EQ(few.splits, 2);
  EXPECT_EQ(few.parts, 0);
  EXPECT_EQ(recorded_choice(few), few);
}

}  // namespace
}  // namespace inferometer::cuda
