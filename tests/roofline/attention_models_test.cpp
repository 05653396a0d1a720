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

PagedDecode paged(std::int64_t batch, std::int64_t kv_len, std::int64_t longest) {
  return {.batch = batch, .kv_len = kv_len, .longest = longest, .num_q_heads = 32, .num_kv_heads = 8};
}

TEST(PagedDecode, ALongSequenceAmongOthersTakesItsTimeBehindThem) {
  const double equal = time_of_generic(paged(256, 500, 500));
  EXPECT_GT(time_of_generic(paged(256, 500, 20'000)), 1.2 * equal);
  // By then the others have read as much as it has.
  EXPECT_NEAR(time_of_generic(paged(256, 500, 700)), equal, 0.1 * equal);
}

/// Parts are made of whole sequences: short ones are not cut where the window alone is read.
TEST(PagedDecode, AWindowIsReadByAsManyBlocksAsWholeSequencesHaveParts) {
  PagedDecode windowed = paged(96, 350, 3000), alike = paged(96, 350, 350);
  windowed.window = alike.window = 128;
  EXPECT_GT(time_of_generic(windowed), time_of_generic(alike));  // it joins some
  EXPECT_LT(time_of_generic(windowed), 1.6 * time_of_generic(alike));
}

TEST(PagedDecode, PartsThatMeetInAClusterAreJoinedSooner) {
  // One sequence of 300 tokens is cut into few parts, one of 20000 into more than a cluster has.
  const auto time = [](double cluster, double memory, std::int64_t tokens) {
    const PagedDecode call = paged(1, tokens, tokens);
    std::vector<double> values;
    for (const KernelParameter& p : call.parameters())
      values.push_back(p.name == "join_cluster" ? cluster : p.name == "join" ? memory : p.generic);
    return call.time(chip(), values).total;
  };
  EXPECT_NEAR(time(2, 1, 300) - time(1, 1, 300), 1, 1e-9);
  EXPECT_NEAR(time(1, 3, 300) - time(1, 1, 300), 0, 1e-9);
  EXPECT_NEAR(time(2, 1, 20'000) - time(1, 1, 20'000), 0, 1e-9);
  EXPECT_NEAR(time(1, 3, 20'000) - time(1, 1, 20'000), 2, 1e-9);
}

DecodeAttention decode(std::int64_t batch, std::int64_t kv_len, std::int64_t window = 0) {
  return {.batch = batch,
          .kv_len = kv_len,
          .num_q_heads = 32,
          .num_kv_heads = 8,
          .head_dim = 128,
          .window = window};
}
/// A query head for each head of keys.
DecodeAttention lone(std::int64_t batch, std::int64_t kv_len, Format kv) {
  DecodeAttention a = decode(batch, kv_len);
  a.num_kv_heads = a.num_q_heads;
  a.kv = kv;
  return a;
}
double time_at(const DecodeAttention& a, double bandwidth) {
  std::vector<double> values;
  for (const KernelParameter& p : DecodeAttention{}.parameters()) values.push_back(p.generic);
  Chip c = chip();
  c.bandwidth = bandwidth;
  return a.time(c, values).total;
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

TEST(DecodeAttention, FasterMemoryOnTheSameMultiprocessorsDoesNotMakeTheirBlocksFaster) {
  EXPECT_NEAR(time_at(decode(64, 65536), 1e9) / time_at(decode(64, 65536), 1e10), 1, 0.01);
  const DecodeAttention bound = lone(64, 2048, Format::fp8);  // 11 B/cycle of 20
  EXPECT_NEAR(time_at(bound, 4e6) / time_at(bound, 8e6), 1, 0.01);
  EXPECT_GT(time_at(bound, 5e5), 2 * time_at(bound, 4e6));
}

TEST(DecodeAttention, BlocksOfOneQueryHeadTakeAsManyElementsWhateverTheirWidth) {
  EXPECT_NEAR(time_at(lone(64, 2048, Format::fp8), 1e9) / time_at(lone(64, 2048, Format::bf16), 1e9), 1,
              0.01);
}

TEST(DecodeAttention, BlocksOfOneQueryHeadAreCompiledForPowersOfTwo) {
  DecodeAttention odd = lone(64, 2048, Format::bf16), even = odd;
  odd.head_dim = 192;
  even.head_dim = 256;
  EXPECT_NEAR(time_at(odd, 1e9) / time_at(even, 1e9), 1, 0.01);
}

TEST(DecodeAttention, FewHeadsOfLongContextsAreSplitOverTheDevice) {
  DecodeAttention few = lone(1, 65536, Format::bf16), one_each = lone(4, 16384, Format::bf16);
  few.num_q_heads = few.num_kv_heads = one_each.num_q_heads = one_each.num_kv_heads = 25;
  EXPECT_LT(time_at(few, 4e6), 1.2 * time_at(one_each, 4e6));  // 25 heads in 4 parts, 100 heads
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
