#include "roofline/kernels/linear_attention.hpp"

#include <gtest/gtest.h>

#include "roofline/fitting/fit_model.hpp"

namespace inferometer {
namespace {

Chip chip() {
  return {.sms = 132, .clock = 1830, .bandwidth = 4.8e6, .l2 = 50e6, .flops = 989e6, .bf16_flops = 989e6};
}

LinearAttention call(LinearKernel kernel, std::int64_t batch, std::int64_t length) {
  const bool convolves =
      kernel == LinearKernel::causal_conv1d_fn || kernel == LinearKernel::causal_conv1d_update;
  if (convolves) return {.kernel = kernel, .batch = batch, .length = length, .channels = 4096, .taps = 4};
  return {.kernel = kernel,
          .batch = batch,
          .length = length,
          .key_heads = 16,
          .key_dim = 128,
          .value_heads = 32,
          .value_dim = 128};
}

KernelTime time(const LinearAttention& a) { return a.time(chip(), generic_values(a.parameters())); }

TEST(LinearAttention, IsAFloorWhereItIsSmallAndGrowsWithEachSize) {
  for (const auto& [kernel, spelling] : Names<LinearKernel>::list) {
    EXPECT_LT(time(call(kernel, 1, 1)).total, 25) << spelling;
    for (std::int64_t batch = 1; batch <= 512; batch *= 2)
      EXPECT_LE(time(call(kernel, batch, 1)).total, time(call(kernel, 2 * batch, 1)).total) << spelling;
  }
  for (const LinearKernel kernel : {LinearKernel::causal_conv1d_fn, LinearKernel::chunk_gated_delta_rule}) {
    for (std::int64_t length = 8; length <= 32768; length *= 2)
      EXPECT_LE(time(call(kernel, 2, length)).total, time(call(kernel, 2, 2 * length)).total);
  }
}

TEST(LinearAttention, OfOneTokenReadsAndWritesTheStatesOfManySequencesAtMemorySpeed) {
  const LinearAttention many = call(LinearKernel::fused_recurrent_gated_delta_rule, 4096, 1);
  const double states = 2.0 * 2 * 4096 * 32 * 128 * 128;
  EXPECT_GT(time(many).total, states / chip().bandwidth);
  EXPECT_LT(time(many).total, 2.5 * states / chip().bandwidth);
}

TEST(LinearAttention, ASequenceTakesItsStateFromChunkToChunk) {
  // The same tokens in one sequence wait for one another, in 64 they do not.
  const double alone = time(call(LinearKernel::chunk_gated_delta_rule, 1, 65536)).total;
  const double beside = time(call(LinearKernel::chunk_gated_delta_rule, 64, 1024)).total;
  EXPECT_GT(alone, beside);
  EXPECT_LT(alone, 2 * beside);
}

TEST(LinearAttention, LengthsThatAreNoMultipleOfEightAreConvolvedSlower) {
  EXPECT_GT(time(call(LinearKernel::causal_conv1d_fn, 64, 7)).total,
            time(call(LinearKernel::causal_conv1d_fn, 64, 8)).total);
}

}  // namespace
}  // namespace inferometer
