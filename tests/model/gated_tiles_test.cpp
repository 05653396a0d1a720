#include "model/gated_tiles.hpp"

#include <gtest/gtest.h>

namespace inferometer {
namespace {

/// Layers of Llama-3.1-8B and Llama-3.2-1B on an H200.
TEST(GatedTiles, AreThoseThatAreDoneFirst) {
  EXPECT_EQ(gated_tiles(128, 14336, 132).rows, 112) << "64 pairs in one turn";
  EXPECT_EQ(gated_tiles(256, 14336, 132).rows, 112);
  EXPECT_EQ(gated_tiles(2048, 14336, 132).rows, 128) << "14 turns, as good as 16 of 112";
  EXPECT_EQ(gated_tiles(100, 8192, 132).rows, 64) << "all multiprocessors";
  EXPECT_EQ(gated_tiles(1, 1, 132).row_places(1), 1);
  EXPECT_TRUE(gated_tiles(256, 14336, 132).share_weights);
  EXPECT_FALSE(gated_tiles(128, 14336, 132).share_weights) << "nobody to share them with";
  EXPECT_FALSE(gated_tiles(384, 14336, 132).share_weights);
  EXPECT_EQ(gated_tiles(384, 14336, 132).token_places(384), 3);
  EXPECT_EQ(gated_tiles(512, 14336, 132).token_places(512), 2);
}

}  // namespace
}  // namespace inferometer
