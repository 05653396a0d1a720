#include "simulator/serving/kv_pool.hpp"

#include <gtest/gtest.h>

#include <array>

namespace inferometer {
namespace {

TEST(KvPool, WhatWasFreedFirstIsTakenFirst) {
  KvPool pool(10, 2, true);
  const std::array<std::uint64_t, 3> prompt{11, 12, 13};
  pool.take(6);
  for (const std::uint64_t id : prompt) EXPECT_TRUE(pool.publish(id));
  for (const std::uint64_t id : prompt) pool.release(id);  // 11 is the oldest
  EXPECT_EQ(pool.free(), 10);
  EXPECT_EQ(pool.find(prompt).units, 3);
  EXPECT_EQ(pool.find(prompt).idle_blocks, 6);
  pool.take(4);  // that never were in use
  EXPECT_EQ(pool.find(prompt).units, 3);
  pool.take(1);  // half of 11
  EXPECT_EQ(pool.find(prompt).units, 0);
  EXPECT_EQ(pool.find(std::span{prompt}.subspan(1)).units, 2);
  EXPECT_EQ(pool.used(), 5);
}

TEST(KvPool, WhatIsInUseIsNotTaken) {
  KvPool pool(4, 1, true);
  const std::array<std::uint64_t, 2> prompt{1, 2};
  pool.take(2);
  for (const std::uint64_t id : prompt) pool.publish(id);
  pool.reference(1);  // a second user
  pool.release(2);
  pool.release(1);
  EXPECT_EQ(pool.free(), 3);
  pool.take(3);
  EXPECT_EQ(pool.find(prompt).units, 1);
  pool.release(1);
  EXPECT_EQ(pool.free(), 1);
}

TEST(KvPool, AnIdentityBelongsToWhoPublishedItFirst) {
  KvPool pool(4, 1, true);
  pool.take(2);
  EXPECT_TRUE(pool.publish(7));
  EXPECT_FALSE(pool.publish(7));
}

TEST(KvPool, RemainsLoseTheirLastBlocksFirst) {
  KvPool pool(8, 1, true);
  pool.take(8);
  const std::uint64_t remains = pool.leave_remains(6);
  EXPECT_EQ(pool.remains(remains), 6);
  pool.take(2);
  EXPECT_EQ(pool.remains(remains), 4);
  pool.take_remains(remains, 3);
  EXPECT_EQ(pool.free(), 1);
  EXPECT_EQ(pool.remains(remains), 0);
}

TEST(KvPool, WithoutCachingNothingIsFound) {
  KvPool pool(4, 1, false);
  pool.take(2);
  EXPECT_FALSE(pool.publish(1));
  EXPECT_EQ(pool.leave_remains(2), 0U);
  EXPECT_EQ(pool.free(), 4);
}

}  // namespace
}  // namespace inferometer
