#include "roofline/kernels/eager_collective.hpp"

#include <gtest/gtest.h>

#include "roofline/fitting/fit_model.hpp"

namespace inferometer {
namespace {

double time(const EagerCollective& c) {
  const Chip chip{.link = 3e5};
  return c.time(chip, generic_values(c.parameters())).total;
}

TEST(EagerCollective, IsAStartWhereItIsShortAndTheWireWhereItIsLong) {
  EagerCollective c{.op = EagerOp::send_recv, .gpus = 2, .gpus_per_node = 2, .bytes = 1};
  EXPECT_NEAR(time(c), 15, 0.1);
  c.bytes = 30'000'000'000;
  EXPECT_NEAR(time(c), 1e5 / 0.75, 2e3);
  c.op = EagerOp::all_reduce;  // two GPUs send half of it twice
  EXPECT_NEAR(time(c), 1e5 / 0.75, 2e3);
}

TEST(EagerCollective, BetweenNodesTakesTheNetworkWhichMoreGpusShareBetter) {
  const EagerCollective within{.gpus = 8, .gpus_per_node = 8, .bytes = 1 << 26};
  const EagerCollective two{.gpus = 8, .gpus_per_node = 4, .bytes = 1 << 26};
  const EagerCollective eight{.gpus = 8, .gpus_per_node = 1, .bytes = 1 << 26};
  EXPECT_LT(5 * time(within), time(two));
  EXPECT_LT(1.5 * time(two), time(eight));
}

}  // namespace
}  // namespace inferometer
