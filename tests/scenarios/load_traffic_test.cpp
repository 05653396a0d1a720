#include "scenarios/load_traffic.hpp"

#include "scenarios/yaml_document.hpp"
#include "tests/scenarios/files_for_tests.hpp"

namespace inferometer {
namespace {

class TrafficSection : public InFolder {
 protected:
  /// Of the lines of the section; the mistakes are in told_.
  TrafficSpec read(const std::string& text) {
    const Result<Document> document = parse_yaml(text, "s.yaml");
    Errors errors;
    TrafficSpec spec = read_traffic(Reader(*document, "traffic", errors), folder_);
    told_ = told(errors);
    return spec;
  }
  std::string told_;
};

const std::string drawn =
    "requests: 9\nprompt_tokens: {mean: 900, cv: 1.2}\noutput_tokens: {mean: 220}\n"
    "arrivals: {process: poisson, requests_per_second: 22}\n";

TEST_F(TrafficSection, SaysSessionsAndASharedPrefix) {
  const TrafficSpec spec = read(drawn +
                                "sessions: {turns: 2.5, distribution: geometric, think_time: 10 s}\n"
                                "shared_prefix: {tokens: 1024, share: 0.8}\nblock_tokens: 32\n");
  EXPECT_EQ(told_, "");
  EXPECT_EQ(spec.sessions->turns, 2.5);
  EXPECT_EQ(spec.sessions->distribution, TurnCount::geometric);
  EXPECT_EQ(spec.sessions->think_time, Seconds{10});
  EXPECT_EQ(spec.shared_prefix->tokens, 1024);
  EXPECT_EQ(spec.shared_prefix->share, 0.8);
  EXPECT_EQ(spec.block_tokens, 32);
}

TEST_F(TrafficSection, TellsMistakesWithTheirPlaces) {
  read(drawn + "sessions: {turns: 2.5, think_tim: 1 s}\n");
  EXPECT_EQ(
      told_,
      "s.yaml:5:19: error: traffic.sessions.turns: must be a whole number where it is fixed\n"
      "s.yaml:5:24: error: traffic.sessions: unknown key \"think_tim\"; did you mean \"think_time\"?\n");
  read(drawn + "sessions: {turns: 0, distribution: normal, think_time: 5}\n");
  EXPECT_EQ(told_,
            "s.yaml:5:19: error: traffic.sessions.turns: must be 1 to 10000\n"
            "s.yaml:5:36: error: traffic.sessions.distribution: \"normal\" is not one of fixed, geometric\n"
            "s.yaml:5:56: error: traffic.sessions.think_time: \"5\" has no unit (ns, us, ms, s); a time is "
            "needed, such as "
            "\"3 us\"\n");
  read(drawn + "shared_prefix: {tokens: 0, share: 0}\n");
  EXPECT_EQ(told_,
            "s.yaml:5:25: error: traffic.shared_prefix.tokens: must be 1 to 10000000\n"
            "s.yaml:5:35: error: traffic.shared_prefix.share: must be above 0, up to 1\n");
  read(drawn + "block_tokens: 16\n");
  EXPECT_EQ(
      told_,
      "s.yaml:5:15: error: traffic.block_tokens: without a file, sessions or shared_prefix no blocks are "
      "shared\n");
  read(drawn + "session: {turns: 2}\n");
  EXPECT_EQ(told_, "s.yaml:5:1: error: traffic: unknown key \"session\"; did you mean \"sessions\"?\n");
  read("file: .\n");
  EXPECT_NE(told_.find("s.yaml:1:7: error: traffic.file: no such file: "), std::string::npos) << told_;
}

TEST_F(TrafficSection, SessionsAreNotDrawnOnAFile) {
  write("t.csv", "arrived_at,num_prefill_tokens,num_decode_tokens,block_hash_ids\n0,40,1,1|2\n1,40,1,1|3\n");
  read("file: t.csv\nsessions: {turns: 2}\n");
  EXPECT_EQ(told_, "s.yaml:2:11: error: traffic.sessions: is drawn; a file has its own\n");
}

TEST_F(TrafficSection, BlocksOfAFileHaveTheStatedSize) {
  write("t.csv", "arrived_at,num_prefill_tokens,num_decode_tokens,block_hash_ids\n0,40,1,1|2\n1,40,1,1|3\n");
  const Result<Traffic> unsaid = load_traffic(read("file: t.csv\n"), 1);
  ASSERT_FALSE(unsaid);
  EXPECT_EQ(told(unsaid.error()),
            "t.csv:2:1: error: the format does not say how many tokens an identity of a block stands for; "
            "block_tokens is needed\n");
  const Result<Traffic> traffic = load_traffic(read("file: t.csv\nblock_tokens: 16\n"), 1);
  ASSERT_TRUE(traffic);
  EXPECT_EQ(traffic->block_tokens, 16);
  EXPECT_EQ(traffic->requests.size(), 2U);
}

}  // namespace
}  // namespace inferometer
