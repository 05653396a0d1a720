#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "hf_texts.hpp"

namespace inferometer {
namespace {

struct Malformed {
  const char* family;
  std::vector<std::string> edits;  ///< from line 2 on
  const char* place;               ///< line:column
  const char* message;
};
class MalformedConfig : public ::testing::TestWithParam<Malformed> {};
TEST_P(MalformedConfig, IsToldWhereItIs) {
  const Malformed& m = GetParam();
  EXPECT_EQ(hf_errors(m.family, m.edits),
            "config.json:" + std::string{m.place} + ": error: " + m.message + "\n");
}

constexpr const char* known =
    "LlamaForCausalLM, MistralForCausalLM, Qwen2ForCausalLM, Qwen3ForCausalLM, MixtralForCausalLM, "
    "Qwen3MoeForCausalLM, GptOssForCausalLM, DeepseekV2ForCausalLM, DeepseekV3ForCausalLM";
const std::string not_known =
    std::string{"architectures: \"GPT2LMHeadModel\" is not known; known are "} + known;
const std::string seven = std::string{"architectures: \"7\" is not known; known are "} + known;
const std::string one_needed = std::string{"architectures: one architecture is needed; known are "} + known;

INSTANTIATE_TEST_SUITE_P(
    Family, MalformedConfig,
    ::testing::Values(
        Malformed{"", {"\"architectures\": [\"GPT2LMHeadModel\"]"}, "2:18", not_known.c_str()},
        Malformed{"", {"\"architectures\": []"}, "2:18", one_needed.c_str()},
        Malformed{"", {}, "1:1", one_needed.c_str()},
        Malformed{"", {"\"architectures\": \"LlamaForCausalLM\""}, "2:18", "architectures: a list is needed"},
        Malformed{"", {"\"architectures\": [7]"}, "2:18", seven.c_str()}));

INSTANTIATE_TEST_SUITE_P(
    Keys, MalformedConfig,
    ::testing::Values(
        Malformed{"Llama",
                  {"\"hidden_sise\": 64"},
                  "2:1",
                  "unknown key \"hidden_sise\"; did you mean \"hidden_size\"?"},
        Malformed{"Llama", {"\"logit_scale\": 0.5"}, "2:1", "unknown key \"logit_scale\""},
        Malformed{"Llama", {"\"n_group\": 4"}, "2:1", "unknown key \"n_group\""},
        Malformed{"Mistral", {"\"layer_types\": []"}, "2:1", "unknown key \"layer_types\""},
        Malformed{"Llama",
                  {"\"pretraining_tp\": 2"},
                  "2:19",
                  "pretraining_tp: only 1 is understood; other values split products and change the order of "
                  "additions"},
        Malformed{"Llama",
                  {"\"rope_interleaved\": true"},
                  "2:21",
                  "rope_interleaved: LlamaForCausalLM does not read it, and is always as with false"},
        Malformed{"Llama",
                  {"\"hidden_act\": \"relu\""},
                  "2:15",
                  "hidden_act: \"relu\" is not understood; expected silu or gelu_pytorch_tanh"},
        Malformed{"GptOss",
                  {"\"hidden_act\": \"gelu_pytorch_tanh\""},
                  "2:15",
                  "hidden_act: \"gelu_pytorch_tanh\" is not understood; expected silu"},
        Malformed{"GptOss", {"\"swiglu_limit\": 5.0"}, "2:17", "swiglu_limit: only 7 is understood"},
        Malformed{"Llama",
                  {"\"torch_dtype\": \"int8\""},
                  "2:16",
                  "torch_dtype: \"int8\" is not understood; expected float32, float16 or bfloat16"},
        Malformed{"Llama",
                  {"\"dtype\": \"float16\"", "\"torch_dtype\": \"bfloat16\""},
                  "3:16",
                  "torch_dtype: contradicts dtype, which means the same"},
        Malformed{"Qwen2",
                  {"\"attention_bias\": false"},
                  "2:19",
                  "attention_bias: Qwen2ForCausalLM does not read it, and is always as with true"},
        Malformed{"Mistral",
                  {"\"mlp_bias\": true"},
                  "2:13",
                  "mlp_bias: MistralForCausalLM does not read it, and is always as with false"},
        Malformed{"DeepseekV2", {"\"mlp_bias\": true"}, "2:13", "mlp_bias: only false is understood"}));

INSTANTIATE_TEST_SUITE_P(
    Sizes, MalformedConfig,
    ::testing::Values(
        Malformed{"Llama",
                  {"\"hidden_size\": \"64\""},
                  "2:16",
                  "hidden_size: \"64\" is text; a whole number is needed"},
        Malformed{"Llama",
                  {"\"hidden_size\": 6.4e1"},
                  "2:16",
                  "hidden_size: \"6.4e1\" is not a whole number in plain digits"},
        Malformed{
            "Llama", {"\"hidden_size\": null"}, "2:16", "hidden_size: is empty; a whole number is needed"},
        Malformed{"Llama",
                  {"\"hidden_size\": 0"},
                  "2:16",
                  "hidden_size: 0 is out of range; 1 to 1048576 is possible"},
        Malformed{"Llama",
                  {"\"num_hidden_layers\": -4"},
                  "2:22",
                  "num_hidden_layers: -4 is out of range; 1 to 10000 is possible"},
        Malformed{"Llama",
                  {"\"vocab_size\": 99999999999"},
                  "2:15",
                  "vocab_size: 99999999999 is out of range; 1 to 134217728 is possible"},
        Malformed{"Llama",
                  {"\"vocab_size\": 99999999999999999999"},
                  "2:15",
                  "vocab_size: \"99999999999999999999\" does not fit 64 bits"},
        Malformed{
            "Llama",
            {"\"num_hidden_layers\": 10000", "\"hidden_size\": 1048576", "\"intermediate_size\": 1048576"},
            "1:1",
            "these sizes make more than 10^16 parameters; up to 10^13 are understood"},
        Malformed{"Llama",
                  {"\"num_attention_heads\": 7", "\"num_key_value_heads\": 7"},
                  "2:24",
                  "num_attention_heads: 7 does not divide hidden_size 64, and there is no head_dim"},
        Malformed{"Llama",
                  {"\"num_key_value_heads\": 3"},
                  "2:24",
                  "num_key_value_heads: 3 does not divide num_attention_heads 8"},
        Malformed{"Llama",
                  {"\"head_dim\": 7"},
                  "2:13",
                  "head_dim: 7 elements of each head are rotated; an even number is needed"},
        Malformed{"Llama", {"\"rms_norm_eps\": 0"}, "2:17", "rms_norm_eps: must be positive"},
        Malformed{"DeepseekV3",
                  {"\"qk_rope_head_dim\": 63"},
                  "2:21",
                  "qk_rope_head_dim: 63 is odd; pairs are rotated"},
        Malformed{"DeepseekV3",
                  {"\"qk_head_dim\": 128"},
                  "2:16",
                  "qk_head_dim: must be qk_nope_head_dim + qk_rope_head_dim, 192"}));

INSTANTIATE_TEST_SUITE_P(
    Windows, MalformedConfig,
    ::testing::Values(
        Malformed{"Qwen3",
                  {"\"layer_types\": [\"full_attention\"]"},
                  "2:16",
                  "layer_types: has 1 entries for 4 layers"},
        Malformed{
            "Qwen3",
            {R"("layer_types": ["full_attention", "full_attention", "linear_attention", "full_attention"])"},
            "2:53",
            "layer_types[2]: \"linear_attention\" is not understood; expected full_attention or "
            "sliding_attention"},
        Malformed{
            "Qwen3",
            {R"("layer_types": ["full_attention", "full_attention", "full_attention", "sliding_attention"])"},
            "2:16",
            "layer_types: has sliding_attention, and use_sliding_window is not true"},
        Malformed{"GptOss",
                  {"\"sliding_window\": null"},
                  "2:19",
                  "sliding_window: is empty, and there are layers of sliding attention"},
        Malformed{"Llama",
                  {"\"sliding_window\": 128"},
                  "2:19",
                  "sliding_window: LlamaForCausalLM has no sliding window"}));

INSTANTIATE_TEST_SUITE_P(
    Ropes, MalformedConfig,
    ::testing::Values(
        Malformed{
            "Llama",
            {R"("rope_scaling": {"type": "dynamic", "factor": 2.0})"},
            "2:26",
            "rope_scaling.type: \"dynamic\" is not understood; expected default, linear, llama3 or yarn"},
        Malformed{"Llama",
                  {R"("rope_parameters": {"rope_type": "longrope"})"},
                  "2:34",
                  "rope_parameters.rope_type: \"longrope\" is not understood; expected default, linear, "
                  "llama3 or yarn"},
        Malformed{"Llama",
                  {R"("rope_scaling": {"type": "linear", "rope_type": "yarn", "factor": 2.0})"},
                  "2:26",
                  "rope_scaling.type: contradicts rope_type, which means the same"},
        Malformed{"Llama",
                  {R"("rope_scaling": {"type": "linear"})"},
                  "2:17",
                  "rope_scaling: missing key \"factor\""},
        Malformed{
            "Llama", {R"("rope_scaling": {"factor": 2.0})"}, "2:18", "rope_scaling: unknown key \"factor\""},
        Malformed{"Llama",
                  {R"("rope_scaling": {"type": "linear", "factor": 0.5})"},
                  "2:46",
                  "rope_scaling.factor: must be at least 1"},
        Malformed{"Llama",
                  {R"("rope_scaling": {"type": "linear", "factor": 2, "mscale": 1})"},
                  "2:49",
                  "rope_scaling: unknown key \"mscale\""},
        Malformed{
            "Llama",
            {R"("rope_scaling": {"type": "llama3", "factor": 8, "low_freq_factor": 4, "high_freq_factor": 4, "original_max_position_embeddings": 8192})"},
            "2:91",
            "rope_scaling.high_freq_factor: must exceed low_freq_factor"},
        Malformed{
            "Llama",
            {R"("rope_scaling": {"type": "default"})", R"("rope_parameters": {"rope_type": "default"})"},
            "3:20",
            "rope_parameters: stands beside rope_scaling; one of the two is needed"},
        Malformed{"Llama",
                  {"\"rope_theta\": 10000.0", R"("rope_parameters": {"rope_theta": 500000.0})"},
                  "3:35",
                  "rope_parameters.rope_theta: contradicts the one outside rope_parameters"},
        Malformed{"Llama",
                  {"\"rope_scaling\": 2.0"},
                  "2:17",
                  "rope_scaling: a mapping of keys to values is needed"},
        Malformed{"Llama", {"\"rope_theta\": -1"}, "2:15", "rope_theta: must be positive"},
        Malformed{
            "Llama", {"\"partial_rotary_factor\": 1.5"}, "2:26", "partial_rotary_factor: must be at most 1"},
        Malformed{"GptOss",
                  {"\"rope_scaling\": null"},
                  "2:17",
                  "rope_scaling: is empty; the rule is needed, or no such key"},
        Malformed{"DeepseekV2",
                  {"\"rope_interleave\": false"},
                  "2:20",
                  "rope_interleave: DeepseekV2ForCausalLM does not read it, and is always as with true"}));

INSTANTIATE_TEST_SUITE_P(
    Experts, MalformedConfig,
    ::testing::Values(
        Malformed{"Mixtral",
                  {"\"num_experts_per_tok\": 9"},
                  "2:24",
                  "num_experts_per_tok: 9 experts are chosen out of 8"},
        Malformed{"GptOss",
                  {"\"num_experts_per_tok\": 4", "\"experts_per_token\": 2"},
                  "3:22",
                  "experts_per_token: contradicts num_experts_per_tok, which means the same"},
        Malformed{"Qwen3Moe",
                  {"\"mlp_only_layers\": [4]"},
                  "2:20",
                  "mlp_only_layers: names layer 4 of 4, counted from 0"},
        Malformed{"DeepseekV2",
                  {"\"num_experts_per_tok\": null"},
                  "2:24",
                  "num_experts_per_tok: is empty; a whole number is needed"},
        Malformed{"DeepseekV2",
                  {"\"topk_method\": \"noaux_tc\""},
                  "2:16",
                  "topk_method: \"noaux_tc\" is not understood for this architecture; expected greedy or "
                  "group_limited_greedy"},
        Malformed{"DeepseekV3",
                  {"\"scoring_func\": \"softmax\""},
                  "2:17",
                  "scoring_func: \"softmax\" is not understood for this architecture; expected sigmoid"},
        Malformed{"DeepseekV3", {"\"n_group\": 7"}, "2:12", "n_group: 7 does not divide 256 experts"},
        Malformed{"DeepseekV3",
                  {"\"n_group\": 256"},
                  "2:12",
                  "n_group: groups are ranked by their best two experts, and have one"},
        Malformed{"DeepseekV3", {"\"topk_group\": 9"}, "2:15", "topk_group: 9 groups are chosen out of 8"},
        Malformed{"DeepseekV3",
                  {"\"num_experts_per_tok\": 129"},
                  "2:24",
                  "num_experts_per_tok: 129 experts are chosen out of 128 in the chosen groups"}));

INSTANTIATE_TEST_SUITE_P(
    Quantization, MalformedConfig,
    ::testing::Values(
        Malformed{"Llama",
                  {R"("quantization_config": {"quant_method": "gptq", "bits": 4})"},
                  "2:41",
                  "quantization_config.quant_method: \"gptq\" is not understood; expected fp8 or mxfp4"},
        Malformed{"Llama",
                  {R"("quantization_config": {"bits": 4})"},
                  "2:24",
                  "quantization_config: missing key \"quant_method\""},
        Malformed{"Llama",
                  {R"("quantization_config": {"quant_method": "fp8", "fmt": "e5m2"})"},
                  "2:55",
                  "quantization_config.fmt: \"e5m2\" is not understood; expected e4m3"},
        Malformed{
            "Llama",
            {R"("quantization_config": {"quant_method": "fp8", "weight_block_size": [128]})"},
            "2:69",
            "quantization_config.weight_block_size: two positive numbers are needed, such as [128, 128]"},
        Malformed{"GptOss",
                  {R"("quantization_config": {"quant_method": "mxfp4", "groups": 16})"},
                  "2:50",
                  "quantization_config: unknown key \"groups\""}));

TEST(HfConfig, TellsAllMistakesAtOnce) {
  EXPECT_EQ(
      hf_errors("Llama", {"\"hidden_act\": \"relu\"", "\"hidden_size\": 0", "\"colour\": 1"}),
      "config.json:2:15: error: hidden_act: \"relu\" is not understood; expected silu or gelu_pytorch_tanh\n"
      "config.json:3:16: error: hidden_size: 0 is out of range; 1 to 1048576 is possible\n"
      "config.json:4:1: error: unknown key \"colour\"\n");
}

TEST(HfConfig, NeedsAMapping) {
  const auto a = read_hf_config("[]", "config.json", "x");
  ASSERT_FALSE(a);
  EXPECT_EQ(to_string(a.error()), "config.json:1:1: error: a mapping of keys to values is needed\n");
}

TEST(HfConfig, SurvivesDamagedPresets) {
  std::uint64_t state = 7;
  const auto random = [&] {
    return state = state * 6364136223846793005u + 1442695040888963407u, state >> 33;
  };
  for (const auto& entry :
       std::filesystem::directory_iterator(std::string{INFEROMETER_SOURCE} + "/scenarios/models")) {
    std::ifstream file(entry.path());
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    for (int round = 0; round < 300; ++round) {
      std::string changed = text;
      for (std::uint64_t k = random() % 3 + 1; k > 0; --k)
        changed[random() % changed.size()] =
            random() % 2 ? "0123456789-.,:[]{}\"ne"[random() % 21] : static_cast<char>(random());
      const auto a = read_hf_config(changed, "config.json", "damaged");
      if (a) {
        EXPECT_GT(parameter_count(*a), 0);
      } else {
        for (const Error& e : a.error()) EXPECT_GE(e.where.line, 1) << e.message;
      }
    }
  }
}

}  // namespace
}  // namespace inferometer
