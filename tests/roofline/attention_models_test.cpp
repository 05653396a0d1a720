#include <gtest/gtest.h>

#include "roofline/kernels/kernel_call.hpp"

namespace inferometer {
namespace {

/// Round numbers near Hopper's: generation() is 1.
Chip chip() {
  return {.sms = 100,
          .clock = 2000,
          .bandwidth = 4e6,
          .l2 = 50e6,
          .flops = 819.2e6,
          .bf16_flops = 819.2e6,
          .link = 0};
}

double time_of_generic(const KernelCall& call) {
  std::vector<double> values;
  for (const KernelParameter& p : parameters_of(call)) values.push_back(p.generic);
  return time_of(call, chip(), values).total;
}

DecodeAttention decode(std::int64_t batch, std::int64_t kv_len, std::int64_t window = 0) {
  return {.batch = batch,
          .kv_len = kv_len,
          .num_q_heads = 32,
          .num_kv_heads = 8,
          .head_dim = 128,
          .window = window};
}
ContextAttention context(std::int64_t q_len, std::int64_t kv_len, std::int64_t window = 0) {
  return {.batch = 1,
          .q_len = q_len,
          .kv_len = kv_len,
          .num_q_heads = 32,
          .num_kv_heads = 8,
          .head_dim = 128,
          .window = window};
}

TEST(ContextAttention, FewQueriesBehindManyKeysFillTheDevice) {
  // A tile a head: 32 of 100 multiprocessors, unless the keys are cut.
  ContextAttention few = context(64, 65536), many = few;
  many.num_q_heads = 96;
  EXPECT_LT(time_of_generic(few), 0.6 * time_of_generic(many));
}

TEST(DecodeAttention, LongContextsApproachTheMemoryBandwidth) {
  const double bytes = 2.0 * 64 * 65536 * 8 * 128 * 2;
  const double ideal = bytes / chip().bandwidth;
  const double t = time_of_generic(decode(64, 65536));
  EXPECT_GT(t, ideal);
  EXPECT_LT(t, 1.6 * ideal);
}

TEST(DecodeAttention, TimeGrowsWithBatchAndContext) {
  for (std::int64_t n = 16; n <= 1024; n *= 2) {
    EXPECT_LE(time_of_generic(decode(n, 4096)), time_of_generic(decode(2 * n, 4096)));
    EXPECT_LE(time_of_generic(decode(64, 16 * n)), time_of_generic(decode(64, 32 * n)));
  }
}

TEST(DecodeAttention, AWindowBoundsIt) {
  EXPECT_LT(time_of_generic(decode(64, 65536, 1024)), 0.2 * time_of_generic(decode(64, 65536)));
  EXPECT_EQ(time_of_generic(decode(64, 512, 1024)), time_of_generic(decode(64, 512)));
}

TEST(DecodeAttention, ACacheInFp8TakesHalfTheBytes) {
  DecodeAttention half = decode(64, 65536);
  half.kv = Format::fp8;
  EXPECT_LT(time_of_generic(half), 0.7 * time_of_generic(decode(64, 65536)));
}

TEST(ContextAttention, LongPromptsStayBelowTheMatrixPeak) {
  const double flops = 2.0 * 32768 * 32768 * 32 * 128;  // the causal half of 4 q k d
  EXPECT_GT(time_of_generic(context(32768, 32768)), flops / chip().flops);
  EXPECT_LT(time_of_generic(context(32768, 32768)), 4 * flops / chip().flops);
}

TEST(ContextAttention, ChunksAfterOneAnotherTakeLongerEach) {
  double before = 0;
  for (std::int64_t end = 1024; end <= 16384; end += 1024) {
    const double t = time_of_generic(context(1024, end));
    EXPECT_GE(t, before);
    before = t;
  }
}

TEST(ContextAttention, WithoutAMaskLongPromptsTakeTwiceAsLong) {
  ContextAttention causal = context(32768, 32768);
  causal.alone = true;
  ContextAttention full = causal;
  full.causal = false;
  EXPECT_NEAR(time_of_generic(full) / time_of_generic(causal), 2, 0.1);
  EXPECT_LT(time_of_generic(causal), time_of_generic(context(32768, 32768)));
}

TEST(ContextAttention, AWindowBoundsIt) {
  EXPECT_LT(time_of_generic(context(16384, 16384, 128)), 0.5 * time_of_generic(context(16384, 16384)));
  EXPECT_EQ(time_of_generic(context(64, 64, 128)), time_of_generic(context(64, 64)));
}

TEST(AttentionModels, HaveAtMost16ParametersWithinTheirRanges) {
  for (const KernelCall& call : {KernelCall{DecodeAttention{}}, KernelCall{ContextAttention{}}}) {
    EXPECT_LE(parameters_of(call).size(), 16U);
    for (const KernelParameter& p : parameters_of(call)) {
      EXPECT_LE(p.low, p.generic) << p.name;
      EXPECT_LE(p.generic, p.high) << p.name;
    }
  }
}

}  // namespace
}  // namespace inferometer
