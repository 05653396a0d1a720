#pragma once
#include <array>
#include <cstdint>
#include <string_view>

namespace inferometer {

/// How often a step runs what a profile times under one name.
struct ProfileLayer {
  std::string_view name;
  std::int64_t in_layer, in_step;  ///< times in each layer, times beside the layers
};

/// source  LLMServingSim, profiler/models/{llama,qwen3,mixtral}.yaml: `layernorm` stands before attention and
///         before the feed-forward block; Vidur, ExecutionTime: one `add` a block
inline constexpr std::array profile_layers{
    ProfileLayer{"embedding", 0, 1},
    ProfileLayer{"layernorm", 2, 0},
    ProfileLayer{"qkv_proj", 1, 0},
    ProfileLayer{"qk_norm", 1, 0},
    ProfileLayer{"rotary_emb", 1, 0},
    ProfileLayer{"o_proj", 1, 0},
    ProfileLayer{"gate_up_proj", 1, 0},
    ProfileLayer{"act_fn", 1, 0},
    ProfileLayer{"down_proj", 1, 0},
    ProfileLayer{"final_layernorm", 0, 1},
    ProfileLayer{"lm_head", 0, 1},
    ProfileLayer{"sampler", 0, 1},
    ProfileLayer{"emb", 0, 1},
    ProfileLayer{"input_layernorm", 1, 0},
    ProfileLayer{"attn_pre_proj", 1, 0},
    ProfileLayer{"attn_rope", 1, 0},
    ProfileLayer{"attn_post_proj", 1, 0},
    ProfileLayer{"post_attention_layernorm", 1, 0},
    ProfileLayer{"mlp_up_proj", 1, 0},
    ProfileLayer{"mlp_act", 1, 0},
    ProfileLayer{"mlp_down_proj", 1, 0},
    ProfileLayer{"add", 1, 0},
};

constexpr const ProfileLayer* profile_layer(std::string_view name) {
  for (const ProfileLayer& layer : profile_layers) {
    if (layer.name == name) return &layer;
  }
  return nullptr;
}

}  // namespace inferometer
