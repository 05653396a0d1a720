#include "tests/gpu/int4.hpp"

#include <gtest/gtest.h>

#include <set>

namespace inferometer::cuda {
namespace {

struct GpuInt4 : OnGpu {};

/// About seven megabytes of weights from the start of both halves of all rows, none of them twice; or all
/// there are.
TEST(Int4Ahead, IsTheFirstOfEachHalfOfTheNextWeights) {
  constexpr std::int64_t about = 7'000'000;
  for (const auto& [in, out] : int4_extents) {
    const NextInt4 next = next_int4(nullptr, out, in);
    const std::int64_t groups = int4_groups(in), half = (groups + 1) / 2, units = int4_units(out, in);
    std::vector<std::int64_t> fetched, expected;
    for (std::int32_t i = 0; i < 2 * next.stripes * next.first; ++i) {
      const std::int64_t unit = next_unit(next, i);
      if (unit >= 0) fetched.push_back(unit);
    }
    for (std::int64_t unit = 0; unit < units; ++unit) {
      if (unit % groups % half < next.first) expected.push_back(unit);
    }
    std::sort(fetched.begin(), fetched.end());
    EXPECT_EQ(fetched, expected) << in << " x " << out;
    const std::int64_t column = 2 * units / groups * std::int64_t{sizeof(Int4Unit)};
    EXPECT_LE(next.first * column, about + column / 2) << in << " x " << out;
    EXPECT_TRUE(next.first == half || next.first * column >= about - column / 2) << in << " x " << out;
  }
}

TEST(Int4Rows, HasAPlaceForEachValueAndFactor) {
  std::set<std::pair<int, int>> values;
  for (int word = 0; word < 32 * int4_group / 8; ++word) {
    for (int pair = 0; pair < 4; ++pair) {
      const Int4Place p = int4_pair(word, pair);
      values.insert({p.row, p.column});
      values.insert({p.row, p.column + 1});
    }
  }
  EXPECT_EQ(values.size(), static_cast<std::size_t>(32 * int4_group));
  EXPECT_EQ(values.rbegin()->first, 31);
  std::set<int> factors;
  for (int row = 0; row < 32; ++row) {
    factors.insert(int4_place(row));
    if (row % 16 < 8) {
      EXPECT_EQ(int4_place(row + 8), int4_place(row) + 1);
    }
    if (row < 16) {
      EXPECT_EQ(int4_place(row + 16), int4_place(row) + 2);
    }
  }
  EXPECT_EQ(factors.size(), 32U);
  EXPECT_EQ(*factors.rbegin(), 31);
}

TEST_F(GpuInt4, PackingRoundsAsTheHostDoes) {
  for (const auto& [in, out] : {std::pair{64, 64}, {72, 200}, {256, 1}, {130, 131}, {31, 17}, {1024, 512}}) {
    const PackedInt4 w(out, in, 2);
    const Matrix unpacked(out, in, 0);
    unpack_int4(unpacked.out().data, w.units.data(), out, in, queue);
    std::vector<double> right;
    for (const float x : w.host.values) right.push_back(bf16_to_float(float_to_bf16(x)));
    EXPECT_EQ(distance(unpacked.values(), right), 0) << in << " x " << out;
    const std::vector<double> values = w.w.values();
    // Half a step of 2 / 15 at most, and what the rounded zero point cuts off.
    for (std::size_t i = 0; i < values.size(); ++i) ASSERT_NEAR(right[i], values[i], 0.14) << i;
  }
}

}  // namespace
}  // namespace inferometer::cuda
