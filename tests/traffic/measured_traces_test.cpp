#include <cstdlib>
#include <fstream>
#include <sstream>

#include "expect_trace.hpp"

namespace inferometer {
namespace {

using namespace traffic_test;

struct Facts {
  const char* file;
  std::size_t rows;
  bool arrivals;
  std::int64_t block_tokens;
  double prompt, output, tolerance;  // mean tokens as published, 0: nothing is
};

class MeasuredTrace : public testing::TestWithParam<Facts> {};

TEST_P(MeasuredTrace, IsReadCompletely) {
  const char* data = std::getenv("INFEROMETER_DATA");
  if (data == nullptr) GTEST_SKIP() << "INFEROMETER_DATA is not set";
  const Facts& facts = GetParam();
  std::ifstream in(std::string{data} + "/traces/" + facts.file + ".csv", std::ios::binary);
  ASSERT_TRUE(in) << facts.file;
  std::stringstream text;
  text << in.rdbuf();
  const RequestTrace trace = read(text.view());
  EXPECT_EQ(trace.bad_rows, 0) << to_string(trace.first_bad);
  EXPECT_EQ(trace.traffic.requests.size(), facts.rows);
  EXPECT_EQ(trace.has_arrivals, facts.arrivals);
  EXPECT_EQ(trace.traffic.block_tokens, facts.block_tokens);
  double prompt = 0, output = 0;
  for (const Request& r : trace.traffic.requests) prompt += r.prompt_tokens, output += r.output_tokens;
  if (facts.prompt == 0) return;
  EXPECT_NEAR(prompt / static_cast<double>(facts.rows) / facts.prompt, 1, facts.tolerance);
  EXPECT_NEAR(output / static_cast<double>(facts.rows) / facts.output, 1, facts.tolerance);
}

INSTANTIATE_TEST_SUITE_P(All, MeasuredTrace,
                         testing::Values(Facts{"splitwise_conv", 19366, true, 0, 0, 0, 0},
                                         Facts{"splitwise_code", 8819, true, 0, 0, 0, 0},
                                         Facts{"arxiv_summarization_lengths", 28257, false, 0, 0, 0, 0},
                                         Facts{"mooncake_conversation", 12031, true, 512, 12000, 343, 0.01},
                                         Facts{"sharegpt_llama31_300", 300, true, 16, 0, 0, 0}),
                         [](const auto& facts) { return std::string{facts.param.file}; });

TEST(MeasuredTraces, ShareGptSharesWhatItsSourceSays) {
  const char* data = std::getenv("INFEROMETER_DATA");
  if (data == nullptr) GTEST_SKIP() << "INFEROMETER_DATA is not set";
  std::ifstream in(std::string{data} + "/traces/sharegpt_llama31_300.csv", std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  const RequestTrace trace = read(text.view());
  std::vector<std::uint64_t> seen;
  double shared = 0, all = 0;
  int requests = 0;
  for (const Request& r : trace.traffic.requests) {
    const auto ids = trace.traffic.blocks_of(r);
    const auto known = std::count_if(ids.begin(), ids.end(), [&](std::uint64_t id) {
      return std::find(seen.begin(), seen.end(), id) != seen.end();
    });
    shared += 16.0 * static_cast<double>(known), all += r.prompt_tokens, requests += known > 0;
    seen.insert(seen.end(), ids.begin(), ids.end());
  }
  EXPECT_NEAR(shared / all, 0.076, 0.001);
  EXPECT_EQ(requests, 32);
}

}  // namespace
}  // namespace inferometer
