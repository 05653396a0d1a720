#include "simulator/serving/policies.hpp"

#include "tests/simulator/serving/workloads.hpp"

// What each policy does with two requests, by hand: a step takes 1 us, 100 ns a new token and 1 ns a token
// that is attended. The second arrives while the first one's prompt is computed, which ends at 2010 ns.
namespace inferometer {
namespace {

using namespace serving_test;

Traffic two_requests() {
  Traffic traffic;
  traffic.requests = {{.arrival = Nanoseconds{0}, .prompt_tokens = 10, .output_tokens = 5},
                      {.arrival = Nanoseconds{1}, .prompt_tokens = 20, .output_tokens = 3}};
  return traffic;
}

struct Times {
  std::int64_t first_last, second_first;  ///< last token of the first request, first of the second [ns]
  friend bool operator==(const Times&, const Times&) = default;
};
Times times_of(const ServerSettings& s) {
  LinearTimer timer;
  const ServingRun run = *simulate(s, two_requests(), timer);
  EXPECT_EQ(run.requests[0].first_token, Nanoseconds{2010});
  return {run.requests[0].last_token.count(), run.requests[1].first_token.count()};
}

TEST(Policies, StaticBatchesEndBeforeOthersBegin) {
  // Four more tokens of the first, which attend 11 to 14; then a prompt of 20.
  constexpr std::int64_t ends = 2010 + 1111 + 1112 + 1113 + 1114;
  EXPECT_EQ(times_of(server(BatchingPolicy::static_batch)), (Times{ends, ends + 3020}));
}

TEST(Policies, OrcaComputesAWholePromptBesideTheDecodes) {
  constexpr std::int64_t joined = 2010 + 1000 + 2100 + 11 + 20;
  // Two steps of both, then one of the first alone.
  constexpr std::int64_t ends = joined + (1200 + 12 + 21) + (1200 + 13 + 22) + 1114;
  EXPECT_EQ(times_of(server(BatchingPolicy::orca)), (Times{ends, joined}));
}

TEST(Policies, VllmBeforeVersion1ComputesPromptsAlone) {
  constexpr std::int64_t prompt = 2010 + 3020;
  constexpr std::int64_t ends = prompt + (1200 + 11 + 21) + (1200 + 12 + 22) + 1113 + 1114;
  EXPECT_EQ(times_of(server(BatchingPolicy::vllm_v0)), (Times{ends, prompt}));
}

TEST(Policies, ChunksFillWhatDecodesLeaveOfTheBudget) {
  for (const BatchingPolicy policy : {BatchingPolicy::vllm_v1, BatchingPolicy::sarathi}) {
    ServerSettings s = server(policy);
    EXPECT_EQ(times_of(s).second_first, 2010 + 1000 + 2100 + 11 + 20) << name(policy);
    s.instance.serving.max_num_seqs = 8;
    s.instance.serving.max_num_batched_tokens = 16;
    // A token and 15 of the prompt; a token and its other 5.
    constexpr std::int64_t first = 2010 + (1000 + 1600 + 11 + 15) + (1000 + 600 + 12 + 20);
    EXPECT_EQ(times_of(s).second_first, first) << name(policy);
  }
}

TEST(Policies, DecodeFirstAdmitsNobodyWhileEnoughDecode) {
  ServerSettings s = server(BatchingPolicy::decode_first);
  s.instance.serving.min_decodes = 1;
  EXPECT_EQ(times_of(s).second_first, times_of(server(BatchingPolicy::static_batch)).second_first);
  s.instance.serving.min_decodes = 2;
  EXPECT_EQ(times_of(s).second_first, times_of(server(BatchingPolicy::vllm_v1)).second_first);
}

/// Two sequences that outgrow four blocks of 16 tokens: at 32 tokens each the second makes room.
Traffic two_that_outgrow() {
  Traffic traffic;
  for (int i = 0; i < 2; ++i)
    traffic.requests.push_back({.arrival = Nanoseconds{0}, .prompt_tokens = 16, .output_tokens = 40});
  return traffic;
}

TEST(Preemption, BySwappingTakesTheTimeOfTheBlocksBothWays) {
  const auto run_with = [](Bytes block) {
    ServerSettings s = server(BatchingPolicy::vllm_v1, 4);
    s.instance.serving.preemption = Preemption::swap;
    s.instance.block = block;
    s.instance.host_link = BytesPerSecond{1e9};
    LinearTimer timer;
    return *simulate(s, two_that_outgrow(), timer);
  };
  const ServingRun free = run_with(Bytes{0}), paid = run_with(Bytes{1000});
  EXPECT_EQ(free.preemptions, 1);
  EXPECT_EQ(free.prompt_tokens, 32);  // nothing is computed again
  EXPECT_EQ(paid.requests[0].last_token - free.requests[0].last_token, Nanoseconds{2000});
  EXPECT_EQ(paid.requests[1].last_token - free.requests[1].last_token, Nanoseconds{4000});
}

TEST(Preemption, ByRecomputingComputesAllThatWasThere) {
  LinearTimer timer;
  const ServingRun run = *simulate(server(BatchingPolicy::vllm_v1, 4), two_that_outgrow(), timer);
  EXPECT_EQ(run.preemptions, 1);
  EXPECT_EQ(run.requests[1].preemptions, 1);
  EXPECT_EQ(run.prompt_tokens, 32 + 33);  // 32 in the cache and the token made last
}

TEST(Watermark, KeepsAdmissionsFromTheLastBlocks) {
  for (const std::int64_t percent : {0, 50}) {
    ServerSettings s = server(BatchingPolicy::vllm_v1, 4);
    s.instance.serving.watermark_percent = percent;
    Traffic traffic;
    for (int i = 0; i < 2; ++i)
      traffic.requests.push_back({.arrival = Nanoseconds{0}, .prompt_tokens = 30, .output_tokens = 2});
    LinearTimer timer;
    const ServingRun run = *simulate(s, traffic, timer);
    // Two blocks each: with two of four kept free, one after the other.
    EXPECT_EQ(run.requests[1].admitted > run.requests[0].admitted, percent == 50);
  }
}

}  // namespace
}  // namespace inferometer
