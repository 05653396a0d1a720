#pragma once
#include "model/architecture.hpp"
#include "model/memory_plan.hpp"

namespace inferometer {

/// Networks small enough to count by hand.
inline Architecture tiny_llama() {
  Architecture a;
  a.name = "tiny-llama";
  a.family = "LlamaForCausalLM";
  a.layers = 2;
  a.hidden = 32;
  a.heads = 4;
  a.kv_heads = 2;
  a.head_dim = 8;
  a.intermediate = 48;
  a.vocab = 100;
  a.max_positions = 512;
  return a;
}

inline Architecture tiny_mixtral() {
  Architecture a = tiny_llama();
  a.name = "tiny-mixtral";
  a.family = "MixtralForCausalLM";
  a.moe = MixtureOfExperts{.experts = 4,
                           .top_k = 2,
                           .intermediate = 24,
                           .softmax_after_top_k = true,
                           .sparse_layer = {true, true}};
  return a;
}

inline Architecture tiny_deepseek() {
  Architecture a = tiny_llama();
  a.name = "tiny-deepseek";
  a.family = "DeepseekV3ForCausalLM";
  a.kv_heads = 4;
  a.rope.interleaved = true;
  a.latent = LatentAttention{.q_rank = 12, .kv_rank = 16, .nope_dim = 6, .rope_dim = 4, .v_dim = 10};
  a.moe = MixtureOfExperts{.experts = 4,
                           .top_k = 2,
                           .intermediate = 24,
                           .shared_intermediate = 24,
                           .score = RouterScore::sigmoid,
                           .normalize_top_k = true,
                           .score_correction_bias = true,
                           .groups = 2,
                           .top_groups = 1,
                           .group_rank = GroupRank::best_two,
                           .scaling = 2.5,
                           .sparse_layer = {false, true}};
  return a;
}

}  // namespace inferometer
