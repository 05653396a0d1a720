#include "model/decode_time.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace inferometer {
namespace {

constexpr DecodeSlots slots{.processors = 100, .resident = 2};
// Memory feeds 100 blocks as fast as they read.
constexpr DecodeCosts costs{.start = 2,
                            .key = 0.01,
                            .byte = 0.01 / (100 * 512),
                            .whole = 1,
                            .skew = 1,
                            .join = 4,
                            .join_part = 0.5,
                            .join_cluster = 1,
                            .partial_traffic = 1};

DecodeLoad load_of(std::int64_t pairs, std::int64_t mean, std::int64_t longest) {
  return {.pairs = pairs, .longest = longest, .mean = mean, .key_bytes = 512, .head_dim = 128, .group = 4};
}
double time_of(std::int64_t pairs, std::int64_t keys, std::int64_t splits, const DecodeCosts& c = costs) {
  return decode_time(load_of(pairs, keys, keys), splits, slots, c);
}

TEST(DecodeTime, AWaveLastsAsLongAsABlockOrAsMemory) {
  EXPECT_DOUBLE_EQ(time_of(50, 1600, 1), 2 + 16);
  EXPECT_DOUBLE_EQ(time_of(100, 1600, 1), 2 + 16);
  EXPECT_DOUBLE_EQ(time_of(150, 1600, 1), 2 + 24);
  EXPECT_DOUBLE_EQ(time_of(50, 1601, 1), 2 + 16.16);  // whole tiles of 16
}

TEST(DecodeTime, BlocksBeyondAWaveTakeAnother) {
  EXPECT_DOUBLE_EQ(time_of(200, 1600, 1), 2 + 32);
  EXPECT_DOUBLE_EQ(time_of(250, 1600, 1), 2 + 32 + 2 + 16);
  DecodeCosts spread = costs;
  spread.whole = 0;
  EXPECT_DOUBLE_EQ(time_of(250, 1600, 1, spread), 2 + 32 * 1.25);  // starts do not show any more
  spread.byte /= 2;  // memory feeds two blocks a multiprocessor: each takes what it takes by itself
  EXPECT_DOUBLE_EQ(time_of(250, 1600, 1, spread), (2 + 16) * 1.25);
}

TEST(DecodeTime, FewBlocksAMultiprocessorDoNotKeepMemoryBusy) {
  DecodeCosts slack = costs;
  slack.unfilled = 0.4;  // 40 blocks more
  EXPECT_DOUBLE_EQ(time_of(150, 1600, 1, slack), 2 + 16 * 1.9);
  EXPECT_DOUBLE_EQ(time_of(200, 1600, 1, slack), 2 + 16 * 2.4);
  EXPECT_DOUBLE_EQ(time_of(50, 1600, 1, slack), 2 + 16);  // still what a block takes by itself
  // The same blocks, half as many at once: twice, and each time the 40.
  EXPECT_DOUBLE_EQ(decode_time(load_of(200, 1600, 1600), 1, {100, 1}, slack), 2 * (2 + 16 * 1.4));
}

TEST(DecodeTime, PartsAreJoinedInAClusterOrThroughMemory) {
  EXPECT_DOUBLE_EQ(time_of(50, 1600, 2), 2 + 8 + 1);
  EXPECT_DOUBLE_EQ(decode_time(load_of(20, 1600, 1600), 4, {100, 1}, costs), 2 + 4 + 1);
  EXPECT_DOUBLE_EQ(time_of(25, 1600, 4), 2 + 4 * 1.5 + 1);  // two blocks on some multiprocessors
  const double partial = 8 * 104 * 512 * costs.byte;
  EXPECT_DOUBLE_EQ(time_of(26, 1600, 4), 2 + 400 * 104 * 512 * costs.byte + 4 + 4 * 0.5 + partial);
  EXPECT_GT(time_of(10, 1600, 9), time_of(10, 1600, 8) + 5);  // too many for a cluster
}

TEST(DecodeTime, BlocksOfHeadsOf128LackMoreTheMoreOfThemRunAtOnce) {
  EXPECT_DOUBLE_EQ(unfilled_by(128, 1, 0.2), 0.2);
  EXPECT_DOUBLE_EQ(unfilled_by(128, 3, 0.2), 0.2 * 3);
  EXPECT_DOUBLE_EQ(unfilled_by(64, 4, 0.5), 0.5);
}

TEST(DecodeTime, ClustersFitIntoPartsOfADevice) {
  EXPECT_TRUE(clusters_fit(66, 2, 132));
  EXPECT_TRUE(clusters_fit(32, 3, 132) && !clusters_fit(36, 3, 132));
  EXPECT_TRUE(clusters_fit(28, 4, 132) && !clusters_fit(32, 4, 132));
  EXPECT_TRUE(clusters_fit(14, 7, 132) && !clusters_fit(16, 7, 132));
  EXPECT_TRUE(clusters_fit(14, 8, 132) && !clusters_fit(16, 8, 132));
}

TEST(DecodeParts, OfASequenceAreNoLongerThanThoseOfTheLongest) {
  EXPECT_EQ(decode_parts(1000, 1000, 4), 4);
  EXPECT_EQ(decode_parts(751, 1000, 4), 4);
  EXPECT_EQ(decode_parts(750, 1000, 4), 3);
  EXPECT_EQ(decode_parts(250, 1000, 4), 1);
  EXPECT_EQ(decode_parts(1, 1000, 4), 1);
  EXPECT_DOUBLE_EQ(mean_decode_parts(load_of(200, 1600, 1600), 5, 100), 5);
  EXPECT_DOUBLE_EQ(mean_decode_parts(load_of(20, 400, 1600), 5, 100), 5);  // in clusters
  EXPECT_DOUBLE_EQ(mean_decode_parts(load_of(200, 400, 1600), 1, 100), 1);
  // One of length l has as many as begin before l: of lengths that fall off exponentially, with parts of the
  // mean length, 1 + 1/e + 1/e^2 ...
  EXPECT_DOUBLE_EQ(mean_decode_parts(load_of(200, 400, 1600), 4, 100), 1 / (1 - std::exp(-1.0)));
  EXPECT_DOUBLE_EQ(mean_decode_parts(load_of(200, 1599, 1600), 2, 100), 2);
}

TEST(DecodeTime, PartsOfALongSequenceAreReadBesideTheOthers) {
  DecodeCosts even = costs;
  even.whole = 0;
  const DecodeLoad load = load_of(200, 400, 6400);
  const double alone = decode_time(load, 1, slots, even);
  EXPECT_DOUBLE_EQ(alone, 2 + 8 + 64 - 4);  // it has read 400 of 6400 while the others ran
  const double parts = mean_decode_parts(load, 8, 100), mean = 16 * std::ceil(400 / parts / 16);
  EXPECT_LT(parts, 1.2);
  const double blocks = 200 * parts, wave = 2 + mean * 200 * 512 * even.byte,
               spread = mean * 200 * 512 * even.byte, all = wave + (blocks / 200 - 1) * spread,
               read = (all - 2) / (200 * 512 * even.byte);
  const double partial = 8 * 200 * (parts - 1 / parts) * 512 * even.byte;
  EXPECT_NEAR(decode_time(load, 8, slots, even), all + (800 - read) * 0.01 + 4 + 8 * 0.5 + partial, 1e-9);
}

TEST(DecodeTime, TheLongestSharesMemoryAndGoesOnAlone) {
  // 50 blocks end after 18 us, when a block of 3200 keys has read 1600.
  DecodeCosts even = costs;
  even.whole = 0;
  EXPECT_DOUBLE_EQ(decode_time(load_of(50, 1600, 3200), 1, slots, even), 18 + 16);
  // Beside 199 others it has read 1600 of them after 34 us, not 3200.
  EXPECT_DOUBLE_EQ(decode_time(load_of(200, 1600, 3200), 1, slots, even), 34 + 16);
  even.skew = 0.5;
  EXPECT_DOUBLE_EQ(decode_time(load_of(200, 1600, 3200), 1, slots, even), 34 + 8);
}

}  // namespace
}  // namespace inferometer
