#include "roofline/profiles/layer_profile.hpp"

#include <gtest/gtest.h>

namespace inferometer {
namespace {

StepTotals decodes(std::int64_t count, std::int64_t cached) {
  StepTotals t;
  t.attended.single = {.count = count, .fresh = count, .all = count * (cached + 1), .longest = cached + 1};
  t.logit_rows = count;
  return t;
}

StepTotals with_prompts(StepTotals t, std::int64_t count, std::int64_t fresh, std::int64_t cached) {
  t.attended.prompts = {.count = count, .fresh = count * fresh, .all = count * (fresh + cached)};
  t.logit_rows += count;
  return t;
}

TEST(InterpolatedTable, IsLinearBetweenPointsAndHoldsItsFloor) {
  const InterpolatedTable t({{{1}, 10}, {{3}, 20}, {{3}, 40}});  // the last two: 30
  EXPECT_EQ(t.at({0}), 10);
  EXPECT_EQ(t.at({2}), 20);
  EXPECT_EQ(t.at({3}), 30);
  EXPECT_EQ(t.at({4}), 40);
}

TEST(InterpolatedTable, DoesNotFallBeyondItsLastPoint) {
  const InterpolatedTable t({{{1}, 10}, {{2}, 5}});
  EXPECT_EQ(t.at({3}), 5);
}

TEST(InterpolatedTable, NeverGoesBeyondTheCornersAroundAPoint) {
  const InterpolatedTable t({{{0, 0}, 1}, {{0, 2}, 3}, {{4, 0}, 5}, {{4, 2}, 11}});
  EXPECT_EQ(t.at({2, 1}), 5);  // (1 + 3 + 5 + 11) / 4
}

TEST(InterpolatedTable, MayBeRagged) {
  const InterpolatedTable t(
      {{{0, 0}, 1}, {{2, 0}, 3}, {{2, 4}, 7}});  // the first row has one point: it holds for all
  EXPECT_EQ(t.at({1, 4}), 4);
  EXPECT_EQ(InterpolatedTable().at({1}), 0);
}

/// Layers cost what they count: 1 s a token of a product, 10 s an embedding, 100 s a logit row.
ProfileTables plain() {
  ProfileTables t;
  t.dense = {{"qkv_proj", 1, Seconds{1}},    {"qkv_proj", 9, Seconds{9}},   {"layernorm", 1, Seconds{0.5}},
             {"layernorm", 9, Seconds{0.5}}, {"embedding", 1, Seconds{10}}, {"embedding", 9, Seconds{10}}};
  t.per_sequence = {{"lm_head", 1, Seconds{100}}, {"lm_head", 9, Seconds{900}}};
  return t;
}

TEST(LayerProfile, RunsLayersAsOftenAsTheNetworkHasThem) {
  const LayerProfile p(plain(), {.layers = 3});
  // 3 layers of 4 tokens and two norms of half a second, one embedding, 4 rows
  EXPECT_EQ(p.time(decodes(4, 0), {}, 4), Seconds(3 * (4 + 1) + 10 + 400));
}

TEST(LayerProfile, PaddingCostsTokensAndNoLogits) {
  const LayerProfile p(plain(), {.layers = 1});
  EXPECT_EQ(p.time(decodes(4, 0), {}, 8) - p.time(decodes(4, 0), {}, 4), Seconds{4});
  EXPECT_EQ(padded(5, {1, 2, 4, 8}), 8);
  EXPECT_EQ(padded(8, {1, 2, 4, 8}), 8);
  EXPECT_EQ(padded(9, {1, 2, 4, 8}), 9);
  EXPECT_EQ(padded(9, {}), 9);
}

TEST(LayerProfile, ReadsAttentionBetweenItsPoints) {
  ProfileTables t;
  for (const double n : {1.0, 3.0}) {
    for (const double kv : {0.0, 10.0}) {
      t.attention.push_back({0, 0, n, kv, Seconds{n * kv}});
      t.attention.push_back({8, 0, n, kv, Seconds{n * kv + 8}});
    }
  }
  t.attention.push_back({8, 0, 0, 0, Seconds{8}});
  const LayerProfile p(t, {.layers = 1});
  EXPECT_EQ(p.attention(decodes(2, 5), {}), Seconds{10});
  EXPECT_EQ(p.attention(with_prompts(decodes(2, 5), 1, 8, 0), {}), Seconds{18});
  EXPECT_EQ(p.attention(with_prompts({}, 1, 8, 0), {}), Seconds{8});
}

TEST(LayerProfile, SumsPromptsAndDecodesThatWereMeasuredApart) {
  ProfileTables t;
  t.attention = {{8, 0, 0, 0, Seconds{5}}, {0, 0, 2, 10, Seconds{3}}};
  EXPECT_EQ(LayerProfile(t, {}).attention(with_prompts(decodes(2, 10), 1, 8, 0), {}), Seconds{8});
}

TEST(LayerProfile, FurtherPromptsCostTheirTimeLessALaunch) {
  ProfileTables t;
  t.attention = {{1, 0, 0, 0, Seconds{1}}, {8, 0, 0, 0, Seconds{5}}};
  EXPECT_EQ(LayerProfile(t, {}).attention(with_prompts({}, 3, 8, 0), {}), Seconds{5 + 4 + 4});
}

TEST(LayerProfile, UnequalDecodesTakeAPartOfTheWayToTheLongest) {
  ProfileTables t;
  t.attention = {{0, 0, 2, 10, Seconds{10}}, {0, 0, 2, 20, Seconds{20}}};
  t.skew = {{false, 2, Seconds{10}, Seconds{20}, Seconds{14}},
            {false, 2, Seconds{10}, Seconds{20}, Seconds{12}},
            {true, 2, Seconds{10}, Seconds{20}, Seconds{20}}};
  const LayerProfile p(t, {});
  EXPECT_NEAR(p.skew(false, 2), 0.3, 1e-12);
  EXPECT_NEAR(p.skew(true, 2), 1, 1e-12);
  EXPECT_NEAR(p.attention(decodes(2, 10), {.longest = 20}).count(), 13, 1e-12);
  EXPECT_EQ(p.attention(decodes(2, 10), {.longest = 10}), Seconds{10});
  t.skew_applies = false;
  EXPECT_EQ(LayerProfile(t, {}).attention(decodes(2, 10), {.longest = 20}), Seconds{10});
}

TEST(LayerProfile, ExpertsAreReadAtHowManyTokensActivate) {
  ProfileTables t;
  t.experts = {{1, 1, Seconds{1}}, {1, 4, Seconds{4}}, {2, 1, Seconds{1}}, {2, 4, Seconds{4}}};
  const LayerProfile p(t, {.layers = 2, .experts = 4, .experts_per_token = 2});
  EXPECT_NEAR(p.time(decodes(1, 0), {}, 1).count(), 2 * 2, 1e-12);  // 2 of 4
  EXPECT_NEAR(p.time(decodes(2, 0), {}, 2).count(), 2 * 3, 1e-12);  // 4 (1 - 1/4) = 3
}

}  // namespace
}  // namespace inferometer
