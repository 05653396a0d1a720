#include "simulator/serving/profiled_timer.hpp"

#include <gtest/gtest.h>

namespace inferometer {
namespace {

/// Two decodes, of 10 and 30 cached tokens.
class TwoDecodes final : public Batch {
 public:
  TwoDecodes() {
    totals.attended.single = {.count = 2, .fresh = 2, .all = 42};
    totals.logit_rows = 2;
  }
  void slices(std::vector<BatchSlice>& out) const override { out = {{0, 1, 10}, {1, 1, 30}}; }
};

TEST(ProfiledTimer, AddsTheHostToTheKernelsOfThePaddedStep) {
  ProfileTables tables;
  tables.dense = {{"qkv_proj", 1, Seconds{1}}, {"qkv_proj", 9, Seconds{9}}};
  ProfiledTimer timer(std::make_shared<const LayerProfile>(tables, ProfiledNetwork{.layers = 1}),
                      {.graph_sizes = {1, 8}, .per_step = Seconds{100}, .per_sequence = Seconds{1000}});
  EXPECT_EQ(timer.time(TwoDecodes()).value(), to_ticks(Seconds{8 + 100 + 2 * 1000}));
}

TEST(ProfiledTimer, KnowsTheLongestDecode) {
  ProfileTables tables;
  tables.attention = {{0, 0, 2, 20, Seconds{20}}, {0, 0, 2, 30, Seconds{30}}};
  tables.skew = {{false, 2, Seconds{20}, Seconds{30}, Seconds{30}}};
  ProfiledTimer timer(std::make_shared<const LayerProfile>(tables, ProfiledNetwork{.layers = 1}), {});
  EXPECT_EQ(timer.time(TwoDecodes()).value(), to_ticks(Seconds{30}));
}

}  // namespace
}  // namespace inferometer
