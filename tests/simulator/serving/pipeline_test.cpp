#include "simulator/serving/pipeline.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "simulator/serving/metrics.hpp"
#include "tests/simulator/serving/workloads.hpp"

namespace inferometer {
namespace {

using namespace serving_test;

/// Each stage takes its own time, and a part of what LinearTimer says where there is one.
struct StageTimer final : BatchTimer {
  std::vector<Nanoseconds> fixed;
  Nanoseconds hand_over{0};
  std::int64_t per_token = 0, calls = 0;
  explicit StageTimer(std::vector<Nanoseconds> stages, Nanoseconds between = Nanoseconds{0})
      : fixed(std::move(stages)), hand_over(between) {}
  Result<Nanoseconds> time(const Batch& batch) override {
    ++calls;
    return std::accumulate(fixed.begin(), fixed.end(), Nanoseconds{per_token * batch.totals.tokens()});
  }
  Done stage_times(const Batch& batch, StageTimes& out) override {
    ++calls;
    out.stages = fixed;
    for (Nanoseconds& t : out.stages) t += Nanoseconds{per_token * batch.totals.tokens()};
    out.hand_over = hand_over;
    return std::monostate{};
  }
};

ServerSettings pipeline(std::int64_t stages, std::int64_t blocks = 100'000) {
  ServerSettings s = server(BatchingPolicy::vllm_v1, blocks);
  s.stages = stages;
  return s;
}

Traffic equal_requests(std::int32_t count, std::int32_t prompt, std::int32_t output) {
  Traffic traffic;
  for (std::int32_t i = 0; i < count; ++i)
    traffic.requests.push_back({.prompt_tokens = prompt, .output_tokens = output});
  return traffic;
}

double bubbles(const ServingRun& run, const Traffic& traffic) {
  return *metrics_of(run, traffic, {}).bubbles;
}

constexpr Nanoseconds us{1000};

TEST(Pipeline, EveryRequestEndsOnceAndTokensAreConserved) {
  int whole = 0;  // runs with spans of all of their time
  for (ServerSettings s : all_settings()) {
    for (const std::int64_t stages : {2, 4}) {
      for (const std::int64_t gap : {2'000, 40'000, 400'000}) {
        s.stages = stages;
        const Traffic traffic = random_traffic(7, 300, gap);
        StageTimer timer(std::vector<Nanoseconds>(static_cast<std::size_t>(stages), us), us / 5);
        timer.per_token = 100;
        const Result<ServingRun> run = simulate(s, traffic, timer);
        ASSERT_TRUE(run);
        expect_conserved(*run, traffic, named(s) + ", stages " + std::to_string(stages));
        EXPECT_EQ(run->steps, timer.calls);
        EXPECT_LE(run->parts_busy, run->parts_time);
        if (run->spans.full()) continue;
        ++whole;
        EXPECT_EQ(covered(*run, ServedSpan::Kind::step), run->parts_busy) << named(s);
        EXPECT_EQ(covered(*run, ServedSpan::Kind::bubble), run->parts_time - run->parts_busy) << named(s);
        // All lanes copy over one link.
        Nanoseconds copied{0};
        for (const ServedSpan& span : run->spans.spans()) {
          if (span.kind != ServedSpan::Kind::swap) continue;
          EXPECT_GE(span.start, copied) << named(s);
          copied = span.end;
        }
      }
    }
  }
  EXPECT_GT(whole, 20);
}

TEST(Pipeline, OfOneStageDoesWhatAnInstanceDoes) {
  for (const ServerSettings& s : all_settings()) {
    const Traffic traffic = random_traffic(11, 100, 20'000);
    ServingRun alone, staged;
    alone.requests.resize(traffic.requests.size()), staged.requests.resize(traffic.requests.size());
    Instance instance(s.instance, traffic, alone.requests, alone);
    Pipeline one(s.instance, 1, traffic, staged.requests, staged);
    for (Replica* replica : {static_cast<Replica*>(&instance), static_cast<Replica*>(&one)}) {
      LinearTimer timer;
      std::vector<std::int32_t> ended;
      for (std::size_t r = 0; r < traffic.requests.size(); ++r)
        replica->enqueue(static_cast<std::int32_t>(r), Nanoseconds{0});
      std::optional<Nanoseconds> end = *replica->begin(Nanoseconds{0}, timer);
      while (end) {
        const Nanoseconds now = *end;
        replica->finish(now, timer, ended);
        end = *replica->begin(now, timer);
      }
    }
    for (std::size_t i = 0; i < traffic.requests.size(); ++i)
      ASSERT_TRUE(same(alone.requests[i], staged.requests[i])) << named(s) << ", request " << i;
    EXPECT_EQ(alone.busy, staged.busy);
  }
}

TEST(Pipeline, FullOfEqualPromptsItTakesTheSlowestStageForEach) {
  // A prompt fills the budget of a step: each is a batch of its own.
  const Traffic traffic = equal_requests(50, 128, 1);
  for (const std::int64_t stages : {2, 4}) {
    StageTimer timer(std::vector<Nanoseconds>(static_cast<std::size_t>(stages), 10 * us));
    const ServingRun run = *simulate(pipeline(stages), traffic, timer);
    EXPECT_EQ(run.end, (50 + stages - 1) * 10 * us);
    // Each stage waits stages - 1 turns for the first batch, or behind the last one.
    EXPECT_NEAR(bubbles(run, traffic), static_cast<double>(stages - 1) / static_cast<double>(49 + stages),
                1e-12);
  }
  StageTimer uneven({10 * us, 30 * us, 20 * us}, us);
  EXPECT_EQ(simulate(pipeline(3), traffic, uneven)->end, (10 + 1 + 50 * 30 + 1 + 20) * us);
}

TEST(Pipeline, ARequestByItselfPassesAllStagesForEachToken) {
  const Traffic traffic = equal_requests(1, 64, 5);
  StageTimer timer({10 * us, 30 * us, 20 * us}, 2 * us);
  const ServingRun run = *simulate(pipeline(3), traffic, timer);
  EXPECT_EQ(run.requests[0].first_token, 64 * us);
  EXPECT_EQ(run.requests[0].last_token, 5 * 64 * us);
  EXPECT_NEAR(bubbles(run, traffic), 1 - 60.0 / (3 * 64), 1e-12);
}

TEST(Pipeline, ChunksOfAPromptFollowOneAnotherThroughTheStages) {
  const Traffic traffic = equal_requests(1, 5 * 128, 3);
  StageTimer timer(std::vector<Nanoseconds>(4, 10 * us));
  const ServingRun run = *simulate(pipeline(4), traffic, timer);
  EXPECT_EQ(run.requests[0].first_token, (5 + 3) * 10 * us);
  EXPECT_EQ(run.requests[0].last_token, (5 + 3 + 2 * 4) * 10 * us) << "a token waits for the one before it";
}

TEST(Pipeline, BatchesThatDecodeInTurnFillTheStages) {
  // Two prompts fill a step, so that four lanes get two sequences each.
  const Traffic traffic = equal_requests(8, 64, 101);
  StageTimer timer(std::vector<Nanoseconds>(4, 10 * us));
  const ServingRun run = *simulate(pipeline(4), traffic, timer);
  EXPECT_EQ(run.end, (4 * 101 + 3) * 10 * us);
  EXPECT_EQ(run.steps, 4 * 101);
}

TEST(Pipeline, SequencesOfAllLanesCountAgainstTheEnginesLimit) {
  ServerSettings s = pipeline(4);
  s.instance.serving.max_num_seqs = 3;
  const Traffic traffic = equal_requests(8, 64, 20);
  StageTimer timer(std::vector<Nanoseconds>(4, 10 * us));
  const ServingRun run = *simulate(s, traffic, timer);
  EXPECT_EQ(run.requests[2].admitted, 0 * us);
  EXPECT_GE(run.requests[3].admitted, run.requests[0].last_token);
}

}  // namespace
}  // namespace inferometer
