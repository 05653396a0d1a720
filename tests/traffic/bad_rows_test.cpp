#include "expect_trace.hpp"

namespace inferometer {
namespace {

using namespace traffic_test;

/// What is told of the one row beside a good one.
std::string csv(const std::string& row) {
  const RequestTrace trace = read("arrival_s,input_tokens,output_tokens,block_ids\n1,600,2,5\n" + row + "\n");
  EXPECT_EQ(trace.bad_rows, 1);
  EXPECT_EQ(trace.traffic.requests.size(), 1U);
  EXPECT_EQ(trace.traffic.blocks.size(), 1U);
  return told(trace.first_bad);
}

std::string json(const std::string& row) {
  const RequestTrace trace =
      read("{\"timestamp\":1,\"input_length\":600,\"output_length\":2,\"hash_ids\":[5]}\n" + row +
           "\n{\"timestamp\":1,\"input_length\":2,\"output_length\":2}");
  EXPECT_EQ(trace.bad_rows, 1);
  EXPECT_EQ(trace.traffic.requests.size(), 2U);
  return told(trace.first_bad);
}

TEST(BadRow, IsToldAtItsPlaceInCsv) {
  EXPECT_EQ(csv("1,x,2,"), "t:3:3: error: input_tokens: \"x\" is no number of tokens from 1 on");
  EXPECT_EQ(csv("1,1.5,2,"), "t:3:3: error: input_tokens: \"1.5\" is no number of tokens from 1 on");
  EXPECT_EQ(csv("1,100000001,2,"),
            "t:3:3: error: input_tokens: \"100000001\" is no number of tokens from 1 on");
  EXPECT_EQ(csv("-1,1,2,"), "t:3:1: error: arrival_s: \"-1\" is no number from 0 on");
  EXPECT_EQ(csv("1,1,2"), "t:3:1: error: has 3 cells, the header 4");
  EXPECT_EQ(csv("1,1,\"2,"), "t:3:5: error: a quote does not end, or text is behind it");
  EXPECT_EQ(csv("1,1,\"2\"2,"), "t:3:8: error: a quote does not end, or text is behind it");
}

TEST(BadRow, HasIdentitiesThatCannotBe) {
  EXPECT_EQ(csv("1,600,2,5-"), "t:3:9: error: block_ids: \"5-\" is no list of identities");
  EXPECT_EQ(csv("1,600,2,9-5"), "t:3:9: error: block_ids: \"9-5\" is no list of identities");
  EXPECT_EQ(csv("1,600,2,0-18446744073709551615"),
            "t:3:9: error: block_ids: \"0-18446744073709551615\" is no list of identities");
  EXPECT_EQ(csv("1,600,2,1 2 3"),
            "t:3:1: error: has 3 blocks of 512 tokens, more than its prompt of 600 tokens; is block_tokens "
            "another?");
}

TEST(BadRow, MayEndARangeAtTheLastIdentity) {
  const RequestTrace trace =
      read("input_tokens,output_tokens,block_ids\n1024,1,18446744073709551614-18446744073709551615\n");
  EXPECT_EQ(blocks(trace.traffic, 0).size(), 2U);
}

TEST(BadRow, IsToldAtItsPlaceInJson) {
  EXPECT_EQ(json("nothing"), "t:2:1: error: is no JSON: an object is needed");
  EXPECT_EQ(json("{\"timestamp\":1,\"input_length\":5"),
            "t:2:32: error: is no JSON: a comma or the end is needed");
  EXPECT_EQ(json("{\"timestamp\":1,,\"input_length\":5}"),
            "t:2:16: error: is no JSON: a key in quotes is needed");
  EXPECT_EQ(json("{\"timestamp\" 1}"), "t:2:14: error: is no JSON: a colon is needed");
  EXPECT_EQ(json("{\"timestamp\":\"1}"), "t:2:14: error: is no JSON: a value that ends is needed");
  EXPECT_EQ(json("{\"timestamp\":1} {"), "t:2:17: error: is no JSON: the end of the line is needed");
  EXPECT_EQ(json("{\"timestamp\":1,\"input_length\":5}"), "t:2:1: error: has no output tokens");
  EXPECT_EQ(json("{\"input_length\":5,\"output_length\":5}"), "t:2:1: error: has no arrival");
  EXPECT_EQ(json("{\"input_length\":[5]}"), "t:2:17: error: input_length: a list");
  EXPECT_EQ(json("{\"hash_ids\":5}"), "t:2:13: error: hash_ids: a list is needed");
  EXPECT_EQ(json("{\"timestamp\":1,\"timestamp\":2}"), "t:2:28: error: timestamp: \"2\" is a second one");
  EXPECT_EQ(json("{\"timestamp\":null}"), "t:2:14: error: timestamp: \"\" is no number from 0 on");
}

TEST(BadRow, IsAWholeSessionWhereOneOfItsRequestsIsNone) {
  const RequestTrace trace = read(
      "{\"input_toks\":1,\"output_toks\":1,\"arrival_time_ns\":0}\n"
      "{\"arrival_time_ns\":5,\"sub_requests\":[{\"input_toks\":1,\"output_toks\":1},{\"input_toks\":0}]}\n"
      "{\"arrival_time_ns\":5,\"sub_requests\":[]}\n"
      "{\"arrival_time_ns\":5,\"sub_requests\":[{\"input_toks\":1,\"output_toks\":1,\"arrival_time_ns\":5}]}"
      "\n"
      "{\"arrival_time_ns\":5,\"sub_requests\":7}\n");
  EXPECT_EQ(trace.traffic.requests.size(), 1U);
  EXPECT_EQ(told(trace.first_bad),
            "t:2:85: error: input_toks: \"0\" is no number of tokens from 1 on\n"
            "t:3:37: error: sub_requests has none\n"
            "t:4:38: error: a request of a session has an arrival of its own\n"
            "t:5:37: error: is no JSON: a list is needed");
}

TEST(BadRow, AllAreCountedAndListed) {
  std::string text = "input_tokens,output_tokens\n1,1\n";
  for (int i = 0; i < 20; ++i) text += "1,0\n";
  const RequestTrace trace = read(text);
  EXPECT_EQ(trace.bad_rows, 20);
  ASSERT_EQ(trace.first_bad.size(), 20U);
  EXPECT_EQ(trace.first_bad.back().where.line, 22);
  for (int i = 0; i < 10'000; ++i) text += "1,0\n";
  const RequestTrace many = read(text);
  EXPECT_EQ(many.bad_rows, 10'020);
  EXPECT_EQ(many.first_bad.size(), 10'000U);
}

TEST(Trace, FailsWhereNoRowIsARequest) {
  EXPECT_EQ(errors("input_tokens,output_tokens\n1,0\n"),
            "t:2:3: error: output_tokens: \"0\" is no number of tokens from 1 on");
  EXPECT_EQ(errors("input_tokens,output_tokens\n"), "t:1:1: error: no request is in it");
  EXPECT_EQ(errors(" \n"), "t:1:1: error: there is nothing in it");
}

TEST(Trace, FailsOnAHeaderThatIsNone) {
  EXPECT_TRUE(errors("prompt,output_tokens\n1,2\n")
                  .starts_with("t:1:1: error: no column for prompts; known columns are arrival_s, "));
  EXPECT_TRUE(errors("\ninput_tokens,out\n1,2\n").starts_with("t:2:1: error: no column for outputs"));
  EXPECT_EQ(errors("input_tokens,output_tokens,prompt_len\n1,2,3\n"),
            "t:1:28: error: column \"prompt_len\" says what another one says");
  EXPECT_EQ(errors("TIMESTAMP,input_tokens,output_tokens,arrival_s\n"),
            "t:1:38: error: column \"arrival_s\" says what another one says");
  EXPECT_EQ(errors("[\n{\"timestamp\": 1}]"),
            "t:1:1: error: a JSON list; a trace is CSV with a header, or JSON objects, one a line");
}

TEST(Trace, FailsWhereTheSizeOfBlocksIsNotSaidOrSaidOfNone) {
  EXPECT_EQ(errors("num_prefill_tokens,num_decode_tokens,block_hash_ids\n5,1,\n5,1,7\n"),
            "t:3:1: error: the format does not say how many tokens an identity of a block stands for; "
            "block_tokens is needed");
  EXPECT_EQ(errors("input_tokens,output_tokens\n1,1\n", 16),
            "t:1:1: error: no identities of blocks are in it, but a size of them is given");
}

}  // namespace
}  // namespace inferometer
