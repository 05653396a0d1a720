#include <gtest/gtest.h>

#include "hf_texts.hpp"

namespace inferometer {
namespace {

Architecture small(std::string_view family, const std::vector<std::string>& edits = {}) {
  const Result<Architecture> a = read_hf(family, edits);
  EXPECT_TRUE(a) << to_string(a.error());
  return a ? *a : Architecture{};
}
using Windows = std::vector<bool>;

TEST(HfConfig, ReadsTheDimensions) {
  const Architecture a =
      small("Llama", {"\"rms_norm_eps\": 1e-05", "\"tie_word_embeddings\": true",
                      "\"max_position_embeddings\": 4096", "\"torch_dtype\": \"float16\""});
  EXPECT_EQ(a.name, "small");
  EXPECT_EQ(a.family, "LlamaForCausalLM");
  EXPECT_EQ(a.layers, 4);
  EXPECT_EQ(a.hidden, 64);
  EXPECT_EQ(a.heads, 8);
  EXPECT_EQ(a.kv_heads, 4);
  EXPECT_EQ(a.head_dim, 8);
  EXPECT_EQ(a.intermediate, 96);
  EXPECT_EQ(a.vocab, 100);
  EXPECT_EQ(a.max_positions, 4096);
  EXPECT_EQ(a.norm_eps, 1e-5);
  EXPECT_TRUE(a.tied_embeddings);
  EXPECT_EQ(a.dtype, DType::f16);
  EXPECT_FALSE(a.moe || a.latent || a.qkv_bias || a.o_bias || a.mlp_bias || a.qk_norm || a.attention_sinks);
}

TEST(HfConfig, TakesNullKeysAsTheirClassDoes) {
  const Architecture a =
      small("Mistral", {"\"num_key_value_heads\": null", "\"head_dim\": null", "\"rope_scaling\": null",
                        "\"sliding_window\": null", "\"quantization_config\": null"});
  EXPECT_EQ(a.kv_heads, 8);
  EXPECT_EQ(a.head_dim, 8);
  EXPECT_EQ(a.window, 0);
}

TEST(HfConfig, LetsAnExplicitHeadSizeWin) {
  EXPECT_EQ(small("Llama", {"\"head_dim\": 128"}).head_dim, 128);
  EXPECT_EQ(small("Qwen3").head_dim, 128);
  EXPECT_EQ(small("Qwen3Moe").head_dim, 8);
  EXPECT_EQ(small("GptOss").head_dim, 64);
}

TEST(HfConfig, KnowsWhichProductsHaveABias) {
  const auto biases = [](const Architecture& a) {
    return std::vector<bool>{a.qkv_bias, a.o_bias, a.mlp_bias};
  };
  using Biases = std::vector<bool>;
  EXPECT_EQ(biases(small("Llama", {"\"attention_bias\": true", "\"mlp_bias\": true"})),
            (Biases{true, true, true}));
  EXPECT_EQ(biases(small("Qwen2")), (Biases{true, false, false}));
  EXPECT_EQ(biases(small("Qwen3")), (Biases{false, false, false}));
  EXPECT_EQ(biases(small("GptOss")), (Biases{true, true, false}));
}

TEST(HfConfig, KnowsWhatEachFamilyFixes) {
  EXPECT_TRUE(small("Qwen3").qk_norm);
  EXPECT_TRUE(small("Qwen3Moe").qk_norm);
  EXPECT_FALSE(small("Qwen2").qk_norm);
  EXPECT_TRUE(small("GptOss").attention_sinks);
  EXPECT_EQ(small("GptOss").activation, Activation::clamped_silu);
  EXPECT_EQ(small("Llama").activation, Activation::silu);
  EXPECT_EQ(small("Llama", {"\"hidden_act\": \"gelu_pytorch_tanh\""}).activation, Activation::gelu_tanh);
  EXPECT_EQ(small("Mixtral").rope.theta, 1e6);
  EXPECT_EQ(small("Mixtral").norm_eps, 1e-5);
  EXPECT_EQ(small("GptOss").rope.theta, 1.5e5);
}

TEST(HfWindows, FollowEachFamily) {
  EXPECT_EQ(small("Llama").windowed_layer, Windows{});
  EXPECT_EQ(small("Mistral").window, 4096) << "the class's default";
  EXPECT_EQ(small("Mistral", {"\"sliding_window\": 32"}).windowed_layer, Windows(4, true));
  EXPECT_EQ(small("Mixtral").windowed_layer, Windows{});
  EXPECT_EQ(small("Qwen2", {"\"sliding_window\": 32"}).windowed_layer, Windows{});
  const Architecture qwen =
      small("Qwen3", {"\"sliding_window\": 32", "\"use_sliding_window\": true", "\"max_window_layers\": 3"});
  EXPECT_EQ(qwen.windowed_layer, (Windows{false, false, false, true}));
  EXPECT_EQ(qwen.window_of(2), 0);
  EXPECT_EQ(qwen.window_of(3), 32);
  EXPECT_EQ(small("Qwen3Moe", {"\"use_sliding_window\": true", "\"max_window_layers\": 3"}).windowed_layer,
            Windows(4, true));
  EXPECT_EQ(small("GptOss").windowed_layer, (Windows{true, false, true, false}));
  EXPECT_EQ(small("GptOss").window, 128);
  EXPECT_EQ(
      small("GptOss",
            {R"("layer_types": ["full_attention", "full_attention", "sliding_attention", "full_attention"])"})
          .windowed_layer,
      (Windows{false, false, true, false}));
}

TEST(HfRope, ReadsBothSpellings) {
  const Architecture a =
      small("Llama", {"\"rope_theta\": 500000.0", R"("rope_scaling": {"rope_type": "llama3", "factor": 8.0,
    "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192})"});
  const Architecture b =
      small("Llama", {R"("rope_parameters": {"rope_theta": 500000.0, "rope_type": "llama3", "factor": 8.0,
    "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192})"});
  for (const Rope& rope : {a.rope, b.rope}) {
    EXPECT_EQ(rope.scaling, RopeScaling::llama3);
    EXPECT_EQ(rope.theta, 5e5);
    EXPECT_EQ(rope.factor, 8);
    EXPECT_EQ(rope.low_freq_factor, 1);
    EXPECT_EQ(rope.high_freq_factor, 4);
    EXPECT_EQ(rope.original_max_positions, 8192);
  }
}

TEST(HfRope, KnowsTheRules) {
  EXPECT_EQ(small("Llama", {R"("rope_scaling": {"type": "linear", "factor": 2})"}).rope.scaling,
            RopeScaling::linear);
  EXPECT_EQ(small("Llama", {R"("rope_parameters": {"rope_type": "default", "rope_theta": 7e4})"}).rope.theta,
            7e4);
  const Rope yarn =
      small("Qwen3", {R"("rope_scaling": {"type": "yarn", "factor": 4.0, "attention_factor": 1.5})",
                      "\"max_position_embeddings\": 32768"})
          .rope;
  EXPECT_EQ(yarn.scaling, RopeScaling::yarn);
  EXPECT_EQ(yarn.original_max_positions, 32768) << "where it is absent, max_position_embeddings";
  EXPECT_EQ(yarn.attention_factor, 1.5);
  EXPECT_TRUE(yarn.truncate);
  const Rope gpt_oss = small("GptOss").rope;
  EXPECT_EQ(gpt_oss.scaling, RopeScaling::yarn) << "the class's default";
  EXPECT_EQ(gpt_oss.factor, 32);
  EXPECT_EQ(gpt_oss.original_max_positions, 4096);
  EXPECT_FALSE(gpt_oss.truncate);
  EXPECT_EQ(small("Llama", {"\"partial_rotary_factor\": 0.5"}).rope.partial_factor, 0.5);
}

TEST(HfRope, InterleavesDeepSeek) {
  EXPECT_FALSE(small("Llama").rope.interleaved);
  EXPECT_TRUE(small("DeepseekV2").rope.interleaved);
  EXPECT_TRUE(small("DeepseekV3").rope.interleaved);
  EXPECT_FALSE(small("DeepseekV3", {"\"rope_interleave\": false"}).rope.interleaved);
  const Rope rope =
      small("DeepseekV3",
            {R"("rope_scaling": {"type": "yarn", "factor": 40, "mscale": 1.0, "mscale_all_dim": 0.5})"})
          .rope;
  EXPECT_EQ(rope.mscale, 1.0);
  EXPECT_EQ(rope.mscale_all_dim, 0.5);
}

TEST(HfExperts, RouteAsEachFamilyDoes) {
  const MixtureOfExperts mixtral = *small("Mixtral").moe;
  EXPECT_EQ(mixtral.experts, 8);
  EXPECT_EQ(mixtral.top_k, 2);
  EXPECT_EQ(mixtral.intermediate, 96);
  EXPECT_TRUE(mixtral.softmax_after_top_k);
  const MixtureOfExperts gpt_oss =
      *small("GptOss", {"\"num_local_experts\": 32", "\"experts_per_token\": 4"}).moe;
  EXPECT_EQ(gpt_oss.experts, 32);
  EXPECT_EQ(gpt_oss.top_k, 4);
  EXPECT_TRUE(gpt_oss.softmax_after_top_k && gpt_oss.router_bias);
  const MixtureOfExperts qwen = *small("Qwen3Moe", {"\"num_experts\": 16", "\"norm_topk_prob\": true",
                                                    "\"decoder_sparse_step\": 2", "\"mlp_only_layers\": [3]"})
                                     .moe;
  EXPECT_EQ(qwen.experts, 16);
  EXPECT_EQ(qwen.intermediate, 768);
  EXPECT_TRUE(qwen.normalize_top_k);
  EXPECT_FALSE(qwen.softmax_after_top_k);
  EXPECT_EQ(qwen.sparse_layer, (std::vector<bool>{false, true, false, false}));
}

TEST(HfExperts, RouteAsDeepSeekV2Does) {
  const MixtureOfExperts lite = *small("DeepseekV2", {"\"n_group\": 4", "\"first_k_dense_replace\": 1"}).moe;
  EXPECT_EQ(lite.experts, 64);
  EXPECT_EQ(lite.score, RouterScore::softmax);
  EXPECT_EQ(lite.group_rank, GroupRank::none);
  EXPECT_EQ(lite.groups, 1) << "greedy reads no groups";
  EXPECT_EQ(lite.shared_intermediate, 2 * 1407);
  EXPECT_FALSE(lite.normalize_top_k || lite.score_correction_bias);
  EXPECT_EQ(lite.sparse_layer, (std::vector<bool>{false, true, true, true}));
  const MixtureOfExperts full =
      *small("DeepseekV2", {"\"n_routed_experts\": 160", "\"n_group\": 8", "\"topk_group\": 3",
                            "\"topk_method\": \"group_limited_greedy\"", "\"routed_scaling_factor\": 16.0"})
           .moe;
  EXPECT_EQ(full.group_rank, GroupRank::best);
  EXPECT_EQ(full.groups, 8);
  EXPECT_EQ(full.top_groups, 3);
  EXPECT_EQ(full.scaling, 16.0);
}

TEST(HfExperts, RouteAsDeepSeekV3Does) {
  const MixtureOfExperts m = *small("DeepseekV3").moe;
  EXPECT_EQ(m.experts, 256);
  EXPECT_EQ(m.top_k, 8);
  EXPECT_EQ(m.intermediate, 2048);
  EXPECT_EQ(m.shared_intermediate, 2048);
  EXPECT_EQ(m.score, RouterScore::sigmoid);
  EXPECT_EQ(m.group_rank, GroupRank::best_two);
  EXPECT_EQ(m.groups, 8);
  EXPECT_EQ(m.top_groups, 4);
  EXPECT_EQ(m.scaling, 2.5);
  EXPECT_TRUE(m.normalize_top_k && m.score_correction_bias);
  EXPECT_EQ(m.sparse_layer, (std::vector<bool>{false, false, false, true}));
}

TEST(HfLatent, ReadsDeepSeekAttention) {
  const Architecture a =
      small("DeepseekV2", {"\"q_lora_rank\": null", "\"v_head_dim\": 96", "\"num_key_value_heads\": 8"});
  EXPECT_EQ(a.latent->q_rank, 0);
  EXPECT_EQ(a.latent->kv_rank, 512);
  EXPECT_EQ(a.latent->nope_dim, 128);
  EXPECT_EQ(a.latent->rope_dim, 64);
  EXPECT_EQ(a.latent->v_dim, 96);
  EXPECT_EQ(a.head_dim, 192);
  EXPECT_EQ(a.kv_heads, 8);
  EXPECT_EQ(small("DeepseekV3").latent->q_rank, 1536);
  EXPECT_EQ(kv_bytes_per_token(a, DType::bf16), Bytes{4 * (512 + 64) * 2});
}

TEST(HfWeights, AreReadAsPublished) {
  EXPECT_EQ(small("Llama", {"\"dtype\": \"float32\""}).dtype, DType::f32);
  EXPECT_EQ(
      small(
          "DeepseekV3",
          {R"("quantization_config": {"quant_method": "fp8", "fmt": "e4m3", "activation_scheme": "dynamic", "weight_block_size": [128, 128]})"})
          .dtype,
      DType::fp8);
  EXPECT_EQ(
      small("GptOss",
            {R"("quantization_config": {"quant_method": "mxfp4", "modules_to_not_convert": ["lm_head"]})"})
          .dtype,
      DType::mxfp4);
}

TEST(HfConfig, PassesOverKeysOfPublishedFilesThatChangeNothing) {
  small("Llama", {R"("is_llama_config": true)", R"("rope_interleaved": false)", R"("pretraining_tp": 1)",
                  R"("transformers.js_config": {"dtype": "q4"})", R"("eos_token_id": [1, 2])",
                  R"("_name_or_path": "x")", R"("attention_dropout": 0.0)", R"("use_cache": true)"});
  small("Qwen2", {R"("use_mrope": false)", R"("use_sliding_window": false)", R"("sliding_window": 131072)"});
  small("Mixtral", {R"("output_router_logits": false)", R"("router_aux_loss_coef": 0.02)"});
  small("GptOss",
        {R"("initial_context_length": 4096)", R"("swiglu_limit": 7.0)", R"("pad_token_id": 199999)"});
  small("DeepseekV3", {R"("auto_map": {"AutoConfig": "configuration_deepseek.DeepseekV3Config"})",
                       R"("aux_loss_alpha": 0.001)", R"("seq_aux": true)", R"("ep_size": 1)",
                       R"("num_nextn_predict_layers": 1)", R"("moe_layer_freq": 1)"});
}

}  // namespace
}  // namespace inferometer
