#include "expect_trace.hpp"

namespace inferometer {
namespace {

using namespace traffic_test;

TEST(TraceFormat, Splitwise) {
  EXPECT_EQ(shown(read("arrival_s,input_tokens,output_tokens\n1.5,374,44\n1.552,396,109\n")),
            "0:374:44 52000000:396:109");
}

TEST(TraceFormat, VidurLengthsHaveNoArrivals) {
  const RequestTrace trace =
      read("num_prefill_tokens,num_decode_tokens,num_total_tokens,pd_ratio\n7,2,9,3.5\n");
  EXPECT_FALSE(trace.has_arrivals);
  EXPECT_EQ(shown(trace), "0:7:2");
}

TEST(TraceFormat, FrontierWithSessionsAndBlocks) {
  const RequestTrace trace = read(
      "arrived_at,num_prefill_tokens,num_decode_tokens,session_id,block_hash_ids\n"
      "0.0,32,30,7,11|22\n0.5,40,3,7,11|22|5\n1,8,3,7,\n",
      16);
  // No end was recorded: the session's requests come when they came.
  EXPECT_EQ(shown(trace), "0:32:30 500000000:40:3 1000000000:8:3");
  EXPECT_EQ(trace.traffic.block_tokens, 16);
  // What the prompt ends within is no block of what is said.
  EXPECT_EQ(blocks(trace.traffic, 1), (std::vector<std::uint64_t>{11, 22}));
  EXPECT_EQ(blocks(trace.traffic, 2), std::vector<std::uint64_t>{});
}

TEST(TraceFormat, MooncakeJson) {
  const RequestTrace trace = read(
      "{\"timestamp\": 27482, \"input_length\": 1500, \"output_length\": 52, \"hash_ids\": [46, 47, 2366]}\n"
      "{\"timestamp\":27480,\"input_length\":600,\"output_length\":26,\"hash_ids\":[46,9]}\r\n");
  EXPECT_EQ(shown(trace), "0:600:26 2000000:1500:52");
  EXPECT_EQ(trace.traffic.block_tokens, 512);
  EXPECT_EQ(blocks(trace.traffic, 0), std::vector<std::uint64_t>{46});
  EXPECT_EQ(blocks(trace.traffic, 1), (std::vector<std::uint64_t>{46, 47}));
}

TEST(TraceFormat, MooncakeAsCsvHasRanges) {
  const RequestTrace trace =
      read("arrival_ms,input_tokens,output_tokens,block_ids\n0,7322,490,0 14-27\n1,513,6,\"7 8\"\n");
  EXPECT_EQ(blocks(trace.traffic, 0).size(), 14U);
  EXPECT_EQ(blocks(trace.traffic, 0).back(), 26U);
  EXPECT_EQ(blocks(trace.traffic, 1), std::vector<std::uint64_t>{7});
}

TEST(TraceFormat, BailianCountsSecondsAndBlocksOf16) {
  const std::string_view text =
      "{\"chat_id\": 159, \"parent_chat_id\": 55, \"timestamp\": 61.114, \"input_length\": 33, "
      "\"output_length\": 132, \"type\": \"text\", \"turn\": 2, \"hash_ids\": [1089, 1090, 1091]}\n"
      "{\"timestamp\": 61.2, \"input_length\": 5, \"output_length\": 1, \"hash_ids\": [], \"chat_id\": "
      "160}\n";
  EXPECT_EQ(shown(read(text, 16)), "0:33:132 86000000:5:1");
  EXPECT_EQ(read(text, 16).traffic.block_tokens, 16);
  EXPECT_EQ(read(text).first_bad.front().message,
            "has 3 blocks of 512 tokens, more than its prompt of 33 tokens; is block_tokens another?");
}

TEST(TraceFormat, AzureLlm) {
  EXPECT_EQ(shown(read("TIMESTAMP,ContextTokens,GeneratedTokens\r\n2023-11-16 18:15:46.6805900,374,44\r\n"
                       "2023-11-16 18:15:50.9951690,396,109\r\n")),
            "0:374:44 4314579000:396:109");
}

TEST(TraceFormat, AzureLmmCountsImages) {
  const RequestTrace trace = read(
      "TIMESTAMP,NumImages,ContextTokens,GeneratedTokens\n2025-01-01 00:00:00,2,10,4\n"
      "2025-01-01 00:00:01,0,10,4\n2025-01-01 00:00:02,3,10,4\n");
  EXPECT_EQ(trace.images, 5);
  EXPECT_EQ(trace.traffic.requests.size(), 3U);
}

TEST(TraceFormat, BurstGptFailuresAreBadRows) {
  const RequestTrace trace = read(
      "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n"
      "5,ChatGPT,472,18,490,Conversation log\n45,ChatGPT,1087,0,1087,Conversation log\n"
      "118,GPT-4,417,276,693,API log\n");
  EXPECT_EQ(shown(trace), "0:472:18 113000000000:417:276");
  EXPECT_EQ(trace.bad_rows, 1);
  EXPECT_EQ(told(trace.first_bad), "t:3:17: error: Response tokens: \"0\" is no number of tokens from 1 on");
}

TEST(TraceFormat, BurstGptSessionsWaitAsLongAsTheyDid) {
  const RequestTrace trace = read(
      "Timestamp,Session ID,Elapsed time,Model,Request tokens,Response tokens,Total tokens,Log Type\n"
      "10,a,2.5,GPT-4,5,1,6,c\n11,b,1,GPT-4,7,1,8,c\n20,a,1,GPT-4,9,1,10,c\n20.5,a,1,GPT-4,11,1,12,c\n"
      "12,,1,GPT-4,13,1,14,c\n12,,1,GPT-4,15,1,16,c\n");
  // The second of a waits 7.5 s behind the first; the third came before the second ended.
  EXPECT_EQ(shown(trace),
            "0:5:1 7500000000:9:1:0 1000000000:7:1 2000000000:13:1 2000000000:15:1 10500000000:11:1");
}

TEST(TraceFormat, LlmServingSimFlatAndAgentic) {
  const RequestTrace trace = read(
      "{\"session_id\": \"s0\", \"arrival_time_ns\": 1000, \"sub_requests\": [{\"input_toks\": 100, "
      "\"output_toks\": 1, \"tool_duration_ns\": 50}, {\"input_toks\": 108, \"output_toks\": 2, "
      "\"tool_duration_ns\": 70}, {\"output_toks\": 3, \"input_toks\": 120}]}\n"
      "{\"input_toks\": 2, \"output_toks\": 8, \"arrival_time_ns\": 900, \"input_tok_ids\": [1, 2]}\n");
  EXPECT_EQ(shown(trace), "0:2:8 100:100:1 50:108:2:1 70:120:3:2");
}

TEST(TraceFormat, LlmServingSimTokensOfPromptsNameTheirBlocks) {
  const auto line = [](int prompt, int first, int from_18) {
    std::string text =
        "{\"input_toks\": " + std::to_string(prompt) + ", \"output_toks\": 1, \"input_tok_ids\": [";
    for (int i = 0; i < prompt; ++i)
      text += (i > 0 ? ", " : "") + std::to_string(i == 0 ? first : i < 18 ? i : from_18 + i);
    return text + "]}\n";
  };
  const std::string text = line(40, 5, 0) + line(50, 5, 9) + line(40, 6, 0);
  const RequestTrace trace = read(text);
  EXPECT_EQ(trace.traffic.block_tokens, 16);
  const auto first = blocks(trace.traffic, 0), second = blocks(trace.traffic, 1),
             third = blocks(trace.traffic, 2);
  ASSERT_EQ(first.size(), 2U);
  ASSERT_EQ(second.size(), 3U);
  EXPECT_EQ(first[0], second[0]);
  EXPECT_NE(first[1], second[1]);
  // Another first token makes another prompt of all that follows.
  EXPECT_NE(first[0], third[0]);
  EXPECT_NE(first[1], third[1]);
  const Result<RequestTrace> stated = read_trace(text, "t", 8);
  ASSERT_TRUE(stated);
  EXPECT_EQ(blocks(stated->traffic, 0).size(), 5U);
  EXPECT_EQ(errors("{\"input_toks\": 7, \"output_toks\": 8, \"input_tok_ids\": [1, x]}\n"),
            "t:1:54: error: input_tok_ids: \"1, x\" is no list of tokens");
}

TEST(TraceFormat, LlmServingSimTokensOfOutputsNameTheBlocksOfTheNextTurn) {
  const auto ids = [](int from, int to) {
    std::string text;
    for (int i = from; i < to; ++i) text += (i > from ? ", " : "") + std::to_string(i);
    return "[" + text + "]";
  };
  const std::string first = "{\"input_toks\": 16, \"output_toks\": 33, \"input_tok_ids\": " + ids(0, 16) +
                            ", \"output_tok_ids\": " + ids(16, 49) + "}\n";
  const std::string second =
      "{\"input_toks\": 50, \"output_toks\": 1, \"input_tok_ids\": " + ids(0, 50) + "}\n";
  const RequestTrace trace = read(first + second);
  ASSERT_EQ(blocks(trace.traffic, 0).size(), 3U);  // 48 of 49 tokens
  EXPECT_EQ(blocks(trace.traffic, 0), blocks(trace.traffic, 1));
  EXPECT_EQ(errors("{\"input_toks\": 3, \"output_toks\": 1, \"input_tok_ids\": [1, 2]}\n"),
            "t:1:1: error: has 2 input_tok_ids for 3 tokens");
  EXPECT_EQ(
      errors("{\"input_toks\": 1, \"output_toks\": 1, \"input_tok_ids\": [1], \"output_tok_ids\": [2, 3]}\n"),
      "t:1:1: error: has 2 output_tok_ids for 1 tokens");
}

TEST(TraceFormat, Apex) {
  EXPECT_EQ(shown(read("{\"StartTimeOffset\": 500, \"ContextTokens\": 3, \"GeneratedTokens\": 4, "
                       "\"SynthesizedBody\": \"a \\\"quoted\\\" {text}, [so]\"}\n"
                       "{\"StartTimeOffset\": 900, \"ContextTokens\": 5, \"GeneratedTokens\": 6}")),
            "0:3:4 400:5:6");
}

TEST(TraceFormat, BlisPrefixGroupsShareBlocksBeforeThePrompt) {
  const RequestTrace trace = read(
      "request_id,session_id,prefix_group,prefix_length,input_tokens,output_tokens,arrival_time_us,"
      "last_chunk_time_us,error_message\n"
      "0,s,g,40,10,4,100,150,\n1,,g,40,20,4,110,0,\"bad, gateway\"\n2,,h,40,5,4,120,0,\n3,s,,0,6,4,180,0,\n");
  EXPECT_EQ(shown(trace), "0:50:4 30000:6:4:0 10000:60:4 20000:45:4");
  EXPECT_EQ(trace.traffic.block_tokens, 16);
  EXPECT_EQ(blocks(trace.traffic, 0).size(), 2U);
  EXPECT_EQ(blocks(trace.traffic, 0), blocks(trace.traffic, 2));
  EXPECT_NE(blocks(trace.traffic, 0), blocks(trace.traffic, 3));
  EXPECT_EQ(blocks(trace.traffic, 1).size(), 0U);
  EXPECT_EQ(trace.traffic.blocks.size(), 4U);
}

TEST(TraceFormat, AByteOrderMarkAndBlankLinesAreNothing) {
  EXPECT_EQ(shown(read("\xef\xbb\xbfinput_tokens,output_tokens\n\n 3 , 4 \n\r\n")), "0:3:4");
}

}  // namespace
}  // namespace inferometer
