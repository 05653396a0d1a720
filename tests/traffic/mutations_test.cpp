#include "expect_trace.hpp"
#include "traffic/draw.hpp"

namespace inferometer {
namespace {

using namespace traffic_test;

TEST(AnyText, IsReadOrRefusedAndWhatIsReadIsInRange) {
  const std::vector<std::string> seeds{
      "arrival_ms,input_tokens,output_tokens,block_ids\n0,7322,490,0 14-27\n1,5,6,\"7\"\n",
      "Timestamp,Session ID,Elapsed time,Request tokens,Response "
      "tokens\n10,a,2.5,5,1\n20,a,1,9,1\n30,a,1,9,1\n",
      "TIMESTAMP,NumImages,ContextTokens,GeneratedTokens\n2025-01-01 00:00:00.5+01:00,2,10,4\n",
      "session_id,prefix_group,prefix_length,input_tokens,output_tokens,arrival_time_us,last_chunk_time_us\n"
      "s,g,40,10,4,100,150\ns,g,400,20,4,210,0\n",
      "{\"timestamp\": 27, \"input_length\": 1500, \"output_length\": 52, \"hash_ids\": [46, 47, 2366]}\n"
      "{\"chat_id\": 1, \"timestamp\": 2.5, \"input_length\": 5, \"output_length\": 1}\n",
      "{\"arrival_time_ns\": 1, \"sub_requests\": [{\"input_toks\": 1, \"output_toks\": 1, "
      "\"tool_duration_ns\": 5}, {\"input_toks\": 9, \"output_toks\": 1}]}\n"};
  constexpr std::string_view letters = "0123456789,,\"\"{}[]:-|. \n\\eTa";
  Draws64 draws(1, "mutations");
  const auto below = [&](std::size_t n) {
    return static_cast<std::size_t>(draws.uniform() * static_cast<double>(n));
  };
  int read = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string text = seeds[below(seeds.size())];
    for (std::size_t changes = 1 + below(4); changes-- > 0;) {
      const std::size_t at = below(text.size());
      const char letter = letters[below(letters.size())];
      const std::size_t kind = below(3);
      if (kind == 0) text[at] = letter;
      if (kind == 1) text.insert(at, 1, letter);
      if (kind == 2) text.erase(at, 1 + below(3));
    }
    const Result<RequestTrace> trace = read_trace(text, "t", 0);
    if (!trace) {
      for (const Error& e : trace.error()) ASSERT_GT(e.where.line, 0) << text;
      continue;
    }
    ++read;
    const Traffic& traffic = trace->traffic;
    for (std::size_t i = 0; i < traffic.requests.size(); ++i) {
      const Request& r = traffic.requests[i];
      ASSERT_GE(r.arrival.count(), 0) << text;
      ASSERT_GE(r.prompt_tokens, 1) << text;
      ASSERT_GE(r.output_tokens, 1) << text;
      ASSERT_LT(r.after, static_cast<std::int32_t>(i)) << text;
      ASSERT_GE(r.first_block, 0) << text;
      ASSERT_LE(r.first_block + r.blocks, std::ssize(traffic.blocks)) << text;
      if (r.blocks > 0) {
        ASSERT_GT(traffic.block_tokens, 0) << text;
      }
    }
  }
  EXPECT_GT(read, 5'000);
}

}  // namespace
}  // namespace inferometer
