#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "model/hf_config.hpp"

namespace inferometer {
namespace {

struct Published {
  const char* preset;
  std::int64_t parameters;
};

class EveryPreset : public ::testing::TestWithParam<Published> {};

std::string text_of(const std::filesystem::path& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), {}};
}

TEST_P(EveryPreset, HasThePublishedNumberOfParameters) {
  const std::string file =
      std::string{INFEROMETER_SOURCE} + "/scenarios/models/" + GetParam().preset + ".json";
  const Result<Architecture> a = read_hf_config(text_of(file), file, GetParam().preset);
  ASSERT_TRUE(a) << to_string(a.error());
  EXPECT_EQ(parameter_count(*a), GetParam().parameters);
}

INSTANTIATE_TEST_SUITE_P(
    Presets, EveryPreset,
    ::testing::Values(Published{"llama-2-7b", 6'738'415'616}, Published{"llama-2-13b", 13'015'864'320},
                      Published{"llama-2-70b", 68'976'648'192}, Published{"llama-3.1-8b", 8'030'261'248},
                      Published{"llama-3.1-70b", 70'553'706'496}, Published{"llama-3.2-1b", 1'235'814'400},
                      Published{"mistral-7b", 7'241'732'096}, Published{"mixtral-8x7b", 46'702'792'704},
                      Published{"qwen3-0.6b", 596'049'920}, Published{"qwen3-14b", 14'768'307'200},
                      Published{"qwen3-32b", 32'762'123'264}, Published{"qwen3-30b-a3b", 30'532'122'624},
                      Published{"qwen3-235b-a22b", 235'093'634'560}, Published{"gpt-oss-20b", 20'914'757'184},
                      Published{"gpt-oss-120b", 116'829'156'672},
                      // The main model of 671 B, without the multi-token prediction layer.
                      Published{"deepseek-v3", 671'026'404'352}, Published{"smollm2-135m", 134'515'008}),
    [](const auto& test) {
      std::string name = test.param.preset;
      for (char& c : name) c = std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
      return name;
    });

TEST(KvBytes, MatchTheFieldsFigures) {
  const auto bytes = [](const char* preset) {
    const std::string file = std::string{INFEROMETER_SOURCE} + "/scenarios/models/" + preset + ".json";
    return kv_bytes_per_token(*read_hf_config(text_of(file), file, preset), DType::f16).value;
  };
  EXPECT_EQ(bytes("llama-2-7b"), 524'288);
  EXPECT_EQ(bytes("llama-2-13b"), 819'200);
  EXPECT_EQ(bytes("llama-2-70b"), 327'680);
  EXPECT_EQ(bytes("llama-3.1-8b"), 131'072);
  EXPECT_EQ(bytes("deepseek-v3"), 61 * (512 + 64) * 2);
}

}  // namespace
}  // namespace inferometer
