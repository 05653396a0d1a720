#include "model/decode_splits.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace inferometer {
namespace {

constexpr DecodeSlots slots{.processors = 132, .resident = 3};

DecodeLoad load_of(std::int64_t pairs, std::int64_t mean, std::int64_t longest, std::int64_t head_dim = 128) {
  return {.pairs = pairs,
          .longest = longest,
          .mean = mean,
          .key_bytes = 4 * head_dim,
          .head_dim = head_dim,
          .group = 4};
}

std::int32_t splits_of(std::int64_t pairs, std::int64_t mean, std::int64_t longest) {
  return decode_splits(load_of(pairs, mean, longest), slots);
}
std::int32_t splits_of_equal(std::int64_t pairs, std::int64_t keys) { return splits_of(pairs, keys, keys); }

TEST(DecodeSplits, FillTheDeviceAndNoMore) {
  EXPECT_EQ(splits_of_equal(8, 40), 1);      // too short to be worth it
  EXPECT_GE(splits_of_equal(8, 16384), 16);  // 8 pairs for 396 blocks
  EXPECT_LE(splits_of_equal(8, 16384), 64);
  EXPECT_EQ(splits_of_equal(2048, 1024), 1);  // many waves already
  for (const std::int64_t pairs : {1, 8, 100, 264, 1000})
    EXPECT_LE(pairs * splits_of_equal(pairs, 100000), std::max(pairs, most_decode_parts(slots.processors)));
}

TEST(DecodeSplits, OneWaveThatKeepsMemoryBusyIsNotSplit) {
  for (const std::int64_t pairs : {192, 264, 288, 384, 396})
    EXPECT_EQ(splits_of_equal(pairs, 540), 1) << pairs;
}

TEST(EvenResident, LeavesNoMultiprocessorWithoutBlocks) {
  const auto at_once = [](std::int64_t pairs, std::int64_t splits = 1) {
    return even_resident(load_of(pairs, 1600, 1600), splits, slots);
  };
  EXPECT_EQ(at_once(1), 1);
  EXPECT_EQ(at_once(132), 1);
  EXPECT_EQ(at_once(133), 2);
  EXPECT_EQ(at_once(256), 2);
  EXPECT_EQ(at_once(265), 3);
  EXPECT_EQ(at_once(64, 4), 2);
  EXPECT_EQ(at_once(512), 2);   // 1.94 waves, not 1.29
  EXPECT_EQ(at_once(640), 3);   // 1.62 waves, not 2.42
  EXPECT_EQ(at_once(2048), 3);  // many waves
  EXPECT_EQ(at_once(64, 2), 1);
  EXPECT_EQ(at_once(24, 4), 1);
  EXPECT_EQ(at_once(8, 8), 1);
  // Clusters that do not all fit into the parts of a device with one block a multiprocessor.
  EXPECT_EQ(at_once(32, 4), 2);
  EXPECT_EQ(at_once(16, 8), 2);
  EXPECT_EQ(even_resident(load_of(1000, 1600, 1600), 1, {.processors = 132, .resident = 1}), 1);
}

TEST(DecodeSplits, HeadsOf64AreReadByMoreBlocksAtOnce) {
  constexpr DecodeSlots four{.processors = 132, .resident = resident_decode_blocks(64)};
  const auto choose = [&](std::int64_t pairs, std::int64_t keys) {
    return choose_decode(load_of(pairs, keys, keys, 64), four, false);
  };
  EXPECT_EQ(choose(512, 1000), (DecodeChoice{FreshKernel::tiles, 1, 4}));
  EXPECT_EQ(choose(128, 128), (DecodeChoice{FreshKernel::tiles, 1, 1}));
  EXPECT_EQ(choose(128, 6000), (DecodeChoice{FreshKernel::tiles, 4, 4}));  // fewer would not keep memory busy
}

TEST(DecodeSplits, OneLongSequenceAmongShortOnesIsCut) {
  // Into parts not much longer than the others.
  EXPECT_GE(splits_of(256, 540, 7980), 8);
  EXPECT_LE(splits_of(256, 540, 7980), 20);
  EXPECT_EQ(splits_of(256, 540, 600), 1);
}

TEST(DecodeSplits, AmongManyWavesTheLongestSequenceReadsNoFasterThanTheOthers) {
  // By itself its block would end with the waves, about 5000 keys; beside 395 others it has not read half.
  EXPECT_EQ(splits_of(1312, 490, 4000), 3);
  EXPECT_EQ(splits_of(1312, 490, 1500), 1);
}

TEST(DecodeSplits, ClustersOfFewPairsFitOneBlockAMultiprocessor) {
  const auto choose = [](std::int64_t pairs, std::int64_t keys) {
    return choose_decode(load_of(pairs, keys, keys), slots, false);
  };
  const auto in_tiles = [](std::int32_t splits, std::int32_t resident) {
    return DecodeChoice{FreshKernel::tiles, splits, resident};
  };
  // What whole steps on an H200 took least with, or within 1.5 % of it.
  EXPECT_EQ(choose(8, 512), in_tiles(8, 1));
  EXPECT_EQ(choose(8, 2048), in_tiles(8, 1));
  EXPECT_EQ(choose(8, 8192), in_tiles(16, 1));
  EXPECT_EQ(choose(16, 512), in_tiles(8, 2));  // clusters that do not fit, and end as soon as five parts
  EXPECT_EQ(choose(24, 512), in_tiles(4, 1));
  EXPECT_EQ(choose(32, 2048), in_tiles(3, 1));
  EXPECT_EQ(choose(64, 2048), in_tiles(2, 1));
  EXPECT_EQ(choose(128, 8192), in_tiles(1, 1));
  EXPECT_EQ(choose(192, 8192), in_tiles(2, 3));  // 192 blocks leave some multiprocessors half as busy
}

TEST(DecodeChoice, TakesOctetsForFewPairsThatAppend) {
  constexpr DecodeSlots four{.processors = 132, .resident = resident_decode_blocks(64)};
  const auto choose = [&](std::int64_t pairs, std::int64_t longest, bool octets = true) {
    return choose_decode(load_of(pairs, longest, longest, 64), four, octets);
  };
  const auto in_octets = [](std::int32_t splits) { return DecodeChoice{FreshKernel::octets, splits}; };
  EXPECT_EQ(choose(8, 1), in_octets(1));
  EXPECT_EQ(choose(8, 128), in_octets(1));   // two rounds, as long as a meeting
  EXPECT_EQ(choose(8, 512), in_octets(8));   // one round
  EXPECT_EQ(choose(8, 2048), in_octets(8));  // two rounds fewer are not worth the way through memory
  EXPECT_EQ(choose(8, 8192), in_octets(16));
  EXPECT_EQ(choose(16, 512), in_octets(8));  // no more blocks than multiprocessors
  EXPECT_EQ(choose(17, 512).fresh, FreshKernel::tiles);
  EXPECT_EQ(choose(8, 512, false).fresh, FreshKernel::tiles);
  EXPECT_EQ(choose(0, 1).fresh, FreshKernel::tiles);
  for (const std::int64_t pairs : {1, 3, 8, 16}) {
    for (const std::int64_t longest : {1, 500, 100000})
      EXPECT_LE(pairs * choose(pairs, longest).splits, 132) << pairs << " pairs, " << longest << " keys";
  }
}

}  // namespace
}  // namespace inferometer
