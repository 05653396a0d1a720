#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/dtype.hpp"

namespace inferometer {

/// The gate of a feed-forward block: y = act(gate) * up.
enum class Activation : std::uint8_t {
  silu,         ///< SwiGLU
  gelu_tanh,    ///< GeGLU with the tanh approximation
  clamped_silu  ///< gpt-oss: gate clamped to at most 7, up to +-7; gate * sigmoid(1.702 gate) * (up + 1)
};

enum class RopeScaling : std::uint8_t { none, linear, llama3, yarn };

/// Rotary position embedding, with the parameters of each scaling rule as Hugging Face writes them.
struct Rope {
  double theta = 10000.0;
  double partial_factor = 1.0;  ///< part of the head that is rotated
  bool interleaved = false;     ///< pairs (2i, 2i+1) instead of halves (i, i + d/2)
  RopeScaling scaling = RopeScaling::none;
  double factor = 1.0;
  double low_freq_factor = 1.0;            // llama3
  double high_freq_factor = 4.0;           // llama3
  double original_max_positions = 8192;    // llama3, yarn
  double beta_fast = 32;                   // yarn
  double beta_slow = 1;                    // yarn
  double mscale = 0;                       // yarn, DeepSeek
  double mscale_all_dim = 0;               // yarn, DeepSeek
  std::optional<double> attention_factor;  // yarn
  bool truncate = true;                    // yarn: correction range rounded to whole dimensions
};

/// Multi-head latent attention (DeepSeek-V2, arXiv 2405.04434): one latent of kv_rank + rope_dim per token is
/// cached.
struct LatentAttention {
  std::int64_t q_rank = 0;  ///< 0: queries are projected directly
  std::int64_t kv_rank = 0;
  std::int64_t nope_dim = 0;
  std::int64_t rope_dim = 0;
  std::int64_t v_dim = 0;
};

enum class RouterScore : std::uint8_t { softmax, sigmoid };
/// How groups of experts are ranked before experts are chosen (DeepSeek-V2: by their best expert; V3: by the
/// sum of their best two).
enum class GroupRank : std::uint8_t { none, best, best_two };

struct MixtureOfExperts {
  std::int64_t experts = 0;
  std::int64_t top_k = 0;
  std::int64_t intermediate = 0;         ///< width of one expert
  std::int64_t shared_intermediate = 0;  ///< width of all shared experts together; 0: none
  RouterScore score = RouterScore::softmax;
  bool softmax_after_top_k = false;    ///< softmax over the chosen scores only (Mixtral, gpt-oss)
  bool normalize_top_k = false;        ///< chosen weights divided by their sum
  bool score_correction_bias = false;  ///< DeepSeek-V3: a learnt bias that takes part in the choice only
  bool router_bias = false;            ///< gpt-oss
  std::int64_t groups = 1;
  std::int64_t top_groups = 1;
  GroupRank group_rank = GroupRank::none;
  double scaling = 1.0;            ///< routed_scaling_factor
  std::vector<bool> sparse_layer;  ///< [layers]; false: this layer has the dense feed-forward block
};

/// What the network is, read from a Hugging Face config.json. Plain numbers; nothing about how it is run.
struct Architecture {
  std::string name;    ///< the preset's or file's name
  std::string family;  ///< the class named in `architectures`, such as LlamaForCausalLM
  std::int64_t layers = 0;
  std::int64_t hidden = 0;
  std::int64_t heads = 0;
  std::int64_t kv_heads = 0;
  std::int64_t head_dim = 0;
  std::int64_t intermediate = 0;  ///< width of the dense feed-forward block
  std::int64_t vocab = 0;
  std::int64_t max_positions = 0;
  Activation activation = Activation::silu;
  double norm_eps = 1e-6;
  bool qkv_bias = false;
  bool o_bias = false;
  bool mlp_bias = false;
  bool qk_norm = false;          ///< RMSNorm of each query and key head (Qwen3)
  bool attention_sinks = false;  ///< one learnt logit per head in each softmax (gpt-oss)
  bool tied_embeddings = false;
  double attention_scale = 0;  ///< 0: 1/sqrt(head size), times the yarn factor where DeepSeek has one
  Rope rope;
  std::int64_t window = 0;           ///< sliding window of the windowed layers [tokens]; 0: none
  std::vector<bool> windowed_layer;  ///< [layers], empty: every layer sees everything
  std::optional<LatentAttention> latent;
  std::optional<MixtureOfExperts> moe;
  DType dtype = DType::bf16;  ///< of the published weights

  bool is_sparse(std::int64_t layer) const {
    return moe && moe->sparse_layer[static_cast<std::size_t>(layer)];
  }
  std::int64_t window_of(std::int64_t layer) const {
    return !windowed_layer.empty() && windowed_layer[static_cast<std::size_t>(layer)] ? window : 0;
  }
};

/// Learnt parameters, tied ones once. Equal to the published counts (Llama-2-7B: 6,738,415,616). As in those,
/// DeepSeek-V3's correction bias is not counted: training adjusts it by a rule, not by gradients.
std::int64_t parameter_count(const Architecture& architecture);
/// Bytes that one cached token takes in all layers at `dtype` (windows not applied).
Bytes kv_bytes_per_token(const Architecture& architecture, DType dtype);

}  // namespace inferometer
