#include "expect_trace.hpp"
#include "traffic/make_traffic.hpp"

namespace inferometer {
namespace {

using namespace traffic_test;

TrafficSpec fixed_lengths(std::int64_t requests) {
  TrafficSpec spec;
  spec.requests = requests;
  spec.prompt = LengthSpec{.mean = 40};
  spec.output = LengthSpec{.mean = 10};
  spec.arrivals = {.process = ArrivalProcess::deterministic, .rate = 1};
  return spec;
}

TEST(DrawnSessions, EachTurnsPromptIsWhatWasSaidBeforeAndTheNewTokens) {
  TrafficSpec spec = fixed_lengths(5);
  spec.sessions = SessionSpec{.turns = 3};
  RequestTrace trace;
  trace.traffic = *make_traffic(spec, {}, 1);
  EXPECT_EQ(shown(trace), "0:40:10 0:90:10:0 0:140:10:1 1000000000:40:10 0:90:10:3");
}

TEST(DrawnSessions, TurnsHaveTheBlocksOfThoseBeforeAndNoneOfOtherSessions) {
  TrafficSpec spec = fixed_lengths(6);
  spec.sessions = SessionSpec{.turns = 3};
  const Traffic traffic = *make_traffic(spec, {}, 1);
  EXPECT_EQ(traffic.block_tokens, 16);
  const auto first = blocks(traffic, 0), last = blocks(traffic, 2), other = blocks(traffic, 3);
  EXPECT_EQ(first.size(), 3U);  // 40 tokens and the 10 that are made
  EXPECT_EQ(last.size(), 6U);   // 140 tokens, of which 100 were said before
  EXPECT_TRUE(std::equal(first.begin(), first.end(), last.begin()));
  EXPECT_NE(first[0], other[0]);
  EXPECT_EQ(traffic.blocks.size(), 12U);  // one storage a session
}

TEST(DrawnSessions, ShareThePrefixsWholeBlocks) {
  TrafficSpec spec = fixed_lengths(4);
  spec.sessions = SessionSpec{.turns = 2};
  spec.shared_prefix = SharedPrefix{.tokens = 40};
  spec.block_tokens = 32;
  const Traffic traffic = *make_traffic(spec, {}, 1);
  EXPECT_EQ(traffic.requests[0].prompt_tokens, 80);
  EXPECT_EQ(traffic.requests[1].prompt_tokens, 130);
  const auto a = blocks(traffic, 1), b = blocks(traffic, 3);
  ASSERT_EQ(a.size(), 2U);  // 90 tokens were said before
  EXPECT_EQ(a[0], b[0]);    // tokens 0 to 31
  EXPECT_NE(a[1], b[1]);    // tokens 32 to 39 of the prefix, and others
}

TEST(DrawnSessions, APrefixOfSingleRequestsIsStoredOnce) {
  TrafficSpec spec = fixed_lengths(100'000);
  spec.shared_prefix = SharedPrefix{.tokens = 64, .share = 0.25};
  const Traffic traffic = *make_traffic(spec, {}, 1);
  EXPECT_EQ(traffic.blocks.size(), 4U);
  std::int64_t sharing = 0;
  for (const Request& r : traffic.requests) {
    EXPECT_EQ(r.prompt_tokens, r.blocks == 4 ? 104 : 40);
    sharing += r.blocks == 4;
  }
  EXPECT_NEAR(static_cast<double>(sharing), 25'000, 700);  // five standard deviations
}

TEST(DrawnSessions, HaveTheirMeanTurnsAndThinkTime) {
  TrafficSpec spec = fixed_lengths(1'000'000);
  spec.sessions = SessionSpec{.turns = 4, .distribution = TurnCount::geometric, .think_time = Seconds{20}};
  const Traffic traffic = *make_traffic(spec, {}, 1);
  double sessions = 0, single = 0, thought = 0;
  for (std::size_t i = 0; i < traffic.requests.size(); ++i) {
    const Request& r = traffic.requests[i];
    const bool last = i + 1 == traffic.requests.size() || traffic.requests[i + 1].after < 0;
    if (r.after < 0) {
      ++sessions;
      single += last;
    } else {
      EXPECT_EQ(r.after, static_cast<std::int32_t>(i) - 1);
      thought += static_cast<double>(r.arrival.count()) * 1e-9;
    }
  }
  EXPECT_NEAR(1e6 / sessions, 4, 0.04);
  EXPECT_NEAR(single / sessions, 0.25, 0.005);  // geometric: P(1) = 1 / mean
  EXPECT_NEAR(thought / (1e6 - sessions), 20, 0.2);
}

TEST(DrawnSessions, OfOneTurnAreRequests) {
  TrafficSpec spec = fixed_lengths(10);
  const Traffic requests = *make_traffic(spec, {}, 1);
  for (const TurnCount distribution : {TurnCount::fixed, TurnCount::geometric}) {
    spec.sessions = SessionSpec{.turns = 1, .distribution = distribution};
    const Traffic sessions = *make_traffic(spec, {}, 1);
    for (std::size_t i = 0; i < 10; ++i) {
      EXPECT_EQ(sessions.requests[i].arrival, requests.requests[i].arrival);
      EXPECT_EQ(sessions.requests[i].prompt_tokens, requests.requests[i].prompt_tokens);
      EXPECT_EQ(sessions.requests[i].blocks, 0);
    }
  }
}

}  // namespace
}  // namespace inferometer
