#include <cmath>

#include "expect_trace.hpp"
#include "traffic/draw.hpp"
#include "traffic/make_traffic.hpp"

namespace inferometer {
namespace {

using namespace traffic_test;

struct Moments {
  double mean, cv;
};
template <class Value>
Moments moments(std::size_t n, Value value) {
  double sum = 0, squares = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const double v = value(i);
    sum += v, squares += v * v;
  }
  const double mean = sum / static_cast<double>(n);
  return {mean, std::sqrt(squares / static_cast<double>(n) - mean * mean) / mean};
}

TrafficSpec drawn(std::int64_t requests) {
  TrafficSpec spec;
  spec.requests = requests;
  spec.prompt = LengthSpec{.mean = 900, .cv = 1.2};
  spec.output = LengthSpec{.mean = 220, .cv = 0.9};
  spec.arrivals = {.process = ArrivalProcess::poisson, .rate = 22};
  return spec;
}

Traffic made(const TrafficSpec& spec, std::uint64_t seed = 1, RequestTrace trace = {}) {
  Result<Traffic> traffic = make_traffic(spec, std::move(trace), seed);
  if (traffic) return std::move(*traffic);
  ADD_FAILURE() << to_string(traffic.error());
  return {};
}

constexpr std::size_t million = 1'000'000;

TEST(Draws, LogarithmAndExponentialAgreeWithTheLibrary) {
  for (double x = 1e-300; x < 1e300; x *= 1.7) {
    const double log = std::log(x);
    EXPECT_NEAR(natural_log(x), log, 1e-14 * std::abs(log)) << x;
    if (std::abs(log) < 699) {
      EXPECT_NEAR(exponential_of(log) / std::exp(log), 1, 3e-14) << x;
    }
  }
}

TEST(Draws, LengthsHaveTheirMeanAndVariationAtAMillion) {
  const Traffic traffic = made(drawn(million));
  const Moments prompts = moments(million, [&](std::size_t i) { return traffic.requests[i].prompt_tokens; });
  const Moments outputs = moments(million, [&](std::size_t i) { return traffic.requests[i].output_tokens; });
  EXPECT_NEAR(prompts.mean / 900, 1, 0.005);
  EXPECT_NEAR(prompts.cv / 1.2, 1, 0.02);
  EXPECT_NEAR(outputs.mean / 220, 1, 0.005);
  EXPECT_NEAR(outputs.cv / 0.9, 1, 0.02);
}

TEST(Draws, LengthsWithoutVariationAreAllEqual) {
  TrafficSpec spec = drawn(100);
  spec.prompt->cv = 0;
  for (const Request& r : made(spec).requests) EXPECT_EQ(r.prompt_tokens, 900);
}

TEST(Draws, UniformLengthsHaveBothEndsAndAllBetweenAlike) {
  TrafficSpec spec = drawn(million);
  spec.prompt = LengthSpec{.least = 10, .most = 13};
  std::array<std::int64_t, 4> counts{};
  for (const Request& r : made(spec).requests) ++counts.at(static_cast<std::size_t>(r.prompt_tokens - 10));
  for (const std::int64_t count : counts) EXPECT_NEAR(static_cast<double>(count) / 250'000, 1, 0.01);
  EXPECT_NE(made(spec).source.find("prompts of 10 to 13 tokens (uniform)"), std::string::npos);
}

TEST(Draws, ABadRowIsTold) {
  TrafficSpec spec = drawn(0);
  spec.file = "t.csv";
  const Result<RequestTrace> trace = read_trace("input_tokens,output_tokens\n1,0\n3,4\n", "t.csv", 0);
  ASSERT_TRUE(trace);
  const Traffic traffic = made(spec, 1, *trace);
  ASSERT_EQ(traffic.bad_rows.size(), 1U);
  EXPECT_EQ(traffic.bad_rows[0], "line 2: output_tokens: \"0\" is no number of tokens from 1 on");
  EXPECT_NE(traffic.source.find("1 rows of the file are no requests: line 2: output_tokens"),
            std::string::npos);
}

TEST(Draws, GapsHaveTheirMeanAndVariationAtAMillion) {
  struct Wanted {
    ArrivalProcess process;
    double cv;
  };
  for (const Wanted& w : {Wanted{ArrivalProcess::poisson, 1},
                          {ArrivalProcess::gamma, 0.5},
                          {ArrivalProcess::gamma, 3},
                          {ArrivalProcess::deterministic, 0}}) {
    TrafficSpec spec = drawn(million + 1);
    spec.arrivals = {.process = w.process, .rate = 50, .cv = w.cv == 0 ? 1 : w.cv};
    const Traffic traffic = made(spec);
    const Moments gaps = moments(million, [&](std::size_t i) {
      return static_cast<double>((traffic.requests[i + 1].arrival - traffic.requests[i].arrival).count());
    });
    EXPECT_NEAR(gaps.mean / 2e7, 1, 0.01) << name(w.process) << w.cv;
    EXPECT_NEAR(gaps.cv, w.cv, 0.02 * w.cv + 1e-6) << name(w.process) << w.cv;
  }
}

bool same(const Traffic& a, const Traffic& b) {
  return a.blocks == b.blocks && a.block_tokens == b.block_tokens && a.source == b.source &&
         std::equal(a.requests.begin(), a.requests.end(), b.requests.begin(), b.requests.end(),
                    [](const Request& x, const Request& y) {
                      return x.arrival == y.arrival && x.prompt_tokens == y.prompt_tokens &&
                             x.output_tokens == y.output_tokens && x.after == y.after &&
                             x.first_block == y.first_block && x.blocks == y.blocks;
                    });
}

TEST(Draws, AreTheSameForASeedAndOthersForAnother) {
  TrafficSpec spec = drawn(1000);
  spec.sessions = SessionSpec{.turns = 3, .distribution = TurnCount::geometric, .think_time = Seconds{5}};
  spec.shared_prefix = SharedPrefix{.tokens = 100, .share = 0.5};
  EXPECT_TRUE(same(made(spec, 7), made(spec, 7)));
  EXPECT_FALSE(same(made(spec, 7), made(spec, 8)));
}

TEST(Draws, DoNotMoveWithTheNumberOfRequests) {
  const Traffic few = made(drawn(10)), many = made(drawn(20));
  for (std::size_t i = 0; i < 10; ++i) {
    EXPECT_EQ(few.requests[i].arrival, many.requests[i].arrival);
    EXPECT_EQ(few.requests[i].prompt_tokens, many.requests[i].prompt_tokens);
  }
}

TEST(Draws, OfAFewTokensAreTheSameOnEveryMachine) {
  // Written down once: another value means that arithmetic differs, or that old seeds now say other traffic.
  std::string text;
  for (const Request& r : made(drawn(3)).requests)
    text += std::to_string(r.arrival.count()) + ":" + std::to_string(r.prompt_tokens) + " ";
  EXPECT_EQ(text, "0:955 57657525:580 85639172:166 ");
}

TEST(MakeTraffic, DrawsInsteadOfTheFilesLengthsAndForgetsItsBlocks) {
  TrafficSpec spec;
  spec.file = "folder/t.csv";
  spec.prompt = LengthSpec{.mean = 9};
  const Traffic traffic =
      made(spec, 1, read("arrival_s,input_tokens,output_tokens,block_ids\n0,600,2,5 6\n1,600,2,5 7\n"));
  EXPECT_EQ(traffic.block_tokens, 0);
  EXPECT_EQ(traffic.requests[1].prompt_tokens, 9);
  EXPECT_EQ(traffic.requests[1].output_tokens, 2);
  EXPECT_EQ(traffic.requests[1].blocks, 0);
  EXPECT_EQ(traffic.source, "2 requests of t.csv, prompts of 9 tokens (cv 0), arrivals recorded");
}

TEST(MakeTraffic, MovesOnlyTheBeginningsOfTheFilesSessions) {
  TrafficSpec spec;
  spec.file = "t";
  spec.arrivals = {.process = ArrivalProcess::deterministic, .rate = 1};
  const std::string session =
      "{\"arrival_time_ns\":5,\"sub_requests\":[{\"input_toks\":1,\"output_toks\":1,\"tool_duration_ns\":9},"
      "{\"input_toks\":2,\"output_toks\":1}]}\n";
  const Traffic traffic = made(spec, 1, read(session + session));
  EXPECT_EQ(traffic.requests[1].arrival, Nanoseconds{9});
  EXPECT_EQ(traffic.requests[2].arrival, Nanoseconds{1'000'000'000});
  EXPECT_EQ(traffic.source, "4 requests of t in 2 sessions, arrivals deterministic at 1/s");
}

TEST(MakeTraffic, SaysWhatOfTheFileIsLeftOut) {
  TrafficSpec spec;
  spec.file = "t";
  const Traffic traffic =
      made(spec, 1,
           read("TIMESTAMP,NumImages,ContextTokens,GeneratedTokens\n2025-01-01 00:00:00,2,10,4\nx,0,1,1\n"));
  EXPECT_EQ(traffic.source,
            "1 requests of t, arrivals recorded; 2 images are left out; 1 rows of the file are no requests: "
            "line 3: TIMESTAMP: \"x\" is no time such as 2023-11-16 18:15:46.6805900");
}

TEST(MakeTraffic, FailsOnWhatCannotBe) {
  const auto told_of = [](const TrafficSpec& spec, RequestTrace trace = {}) {
    const Result<Traffic> traffic = make_traffic(spec, std::move(trace), 1);
    return traffic ? "made" : told(traffic.error());
  };
  TrafficSpec spec = drawn(100);
  spec.arrivals.rate = 1e-9;
  EXPECT_EQ(told_of(spec), "error: the requests arrive over more than 250 years");
  spec.arrivals.rate = 1;
  spec.prompt->mean = 1e7;
  spec.sessions = SessionSpec{.turns = 100};
  EXPECT_EQ(told_of(spec), "error: a session's prompt grows beyond 100000000 tokens");
  TrafficSpec file;
  file.file = "t";
  EXPECT_EQ(
      told_of(file, read("input_tokens,output_tokens\n1,1\n")),
      "error: the file has no arrivals; set arrivals.process to poisson, gamma, deterministic or closed");
  file.output = LengthSpec{.mean = 3};
  EXPECT_EQ(
      told_of(file, read("{\"arrival_time_ns\":5,\"sub_requests\":[{\"input_toks\":1,\"output_toks\":1},"
                         "{\"input_toks\":2,\"output_toks\":1}]}")),
      "error: the file has sessions, whose prompts hold what was said before; drawn lengths would not");
}

}  // namespace
}  // namespace inferometer
