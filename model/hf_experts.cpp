#include <algorithm>

#include "model/hf_reading.hpp"

namespace inferometer {
namespace {

void check_choice(Reader& in, std::string_view key, const MixtureOfExperts& m) {
  if (m.top_k > m.experts) {
    in.error(key, std::to_string(m.top_k) + " experts are chosen out of " + std::to_string(m.experts));
  }
}

void read_mixtral(Reader& in, Architecture& a, MixtureOfExperts& m) {
  m.experts = read_size(in, "num_local_experts", 8);
  m.top_k = read_size(in, "num_experts_per_tok", 2);
  m.intermediate = a.intermediate;
  m.softmax_after_top_k = true;  // softmax over all, then the chosen ones divided by their sum: the same
}

void read_gpt_oss(Reader& in, Architecture& a, MixtureOfExperts& m) {
  m.experts = read_size(in, "num_local_experts", 128);
  m.top_k = read_size(in, "num_experts_per_tok", 4);
  m.intermediate = a.intermediate;
  m.softmax_after_top_k = true;
  m.router_bias = true;
  const auto limit = in.maybe<double>("swiglu_limit");
  if (limit && *limit != 7.0) in.error("swiglu_limit", "only 7.0 is understood");
}

void read_qwen3(Reader& in, Architecture& a, MixtureOfExperts& m) {
  m.experts = read_size(in, "num_experts", 128);
  m.top_k = read_size(in, "num_experts_per_tok", 8);
  m.intermediate = read_size(in, "moe_intermediate_size", 768);
  m.normalize_top_k = in.optional<bool>("norm_topk_prob", false);
  const std::int64_t step = read_size(in, "decoder_sparse_step", 1);
  const auto dense = in.list<std::int64_t>("mlp_only_layers").value_or(std::vector<std::int64_t>{});
  for (std::int64_t layer = 0; layer < a.layers; ++layer) {
    const bool listed = std::find(dense.begin(), dense.end(), layer) != dense.end();
    m.sparse_layer[static_cast<std::size_t>(layer)] = !listed && (layer + 1) % step == 0;
  }
}

void read_deepseek(Reader& in, Architecture& a, MixtureOfExperts& m, bool v3) {
  m.experts = read_size(in, "n_routed_experts", v3 ? 256 : 64);
  m.top_k = read_size(in, "num_experts_per_tok", v3 ? 8 : 6);
  m.intermediate = read_size(in, "moe_intermediate_size", v3 ? 2048 : 1407);
  m.shared_intermediate = m.intermediate * read_size(in, "n_shared_experts", v3 ? 1 : 2, 0);
  m.normalize_top_k = in.optional<bool>("norm_topk_prob", v3);
  m.scaling = in.optional<double>("routed_scaling_factor", v3 ? 2.5 : 1.0);
  m.groups = read_size(in, "n_group", v3 ? 8 : 1);
  m.top_groups = read_size(in, "topk_group", v3 ? 4 : 1);
  const std::string method = in.optional<std::string>("topk_method", v3 ? "noaux_tc" : "greedy");
  const std::string scoring = in.optional<std::string>("scoring_func", v3 ? "sigmoid" : "softmax");
  m.score = scoring == "sigmoid" ? RouterScore::sigmoid : RouterScore::softmax;
  if (scoring != (v3 ? "sigmoid" : "softmax")) {
    in.error("scoring_func", "\"" + scoring + "\" is not understood for this family; expected " +
                                 (v3 ? "sigmoid" : "softmax"));
  }
  if (v3 && method == "noaux_tc") {
    m.score_correction_bias = true;
    m.group_rank = GroupRank::best_two;
  } else if (!v3 && method == "group_limited_greedy") {
    m.group_rank = GroupRank::best;
  } else if (v3 || method != "greedy") {
    in.error("topk_method", "\"" + method + "\" is not understood; expected " +
                                (v3 ? "noaux_tc" : "greedy or group_limited_greedy"));
  }
  if (m.group_rank == GroupRank::none) m.groups = m.top_groups = 1;
  if (m.experts % m.groups != 0)
    in.error("n_group",
             std::to_string(m.groups) + " does not divide " + std::to_string(m.experts) + " experts");
  if (m.top_groups > m.groups)
    in.error("topk_group",
             std::to_string(m.top_groups) + " groups are chosen out of " + std::to_string(m.groups));
  if (m.groups > 0 && m.experts % m.groups == 0 && m.top_groups <= m.groups &&
      m.top_k > m.experts / m.groups * m.top_groups) {
    in.error("num_experts_per_tok", "more experts are chosen than the chosen groups have");
  }
  const std::int64_t dense = read_size(in, "first_k_dense_replace", v3 ? 3 : 0, 0);
  const std::int64_t every = read_size(in, "moe_layer_freq", 1);
  for (std::int64_t layer = 0; layer < a.layers; ++layer) {
    m.sparse_layer[static_cast<std::size_t>(layer)] = layer >= dense && layer % every == 0;
  }
}

}  // namespace

void read_experts(Reader& in, const HfFamily& family, Architecture& a) {
  MixtureOfExperts m;
  m.sparse_layer.assign(static_cast<std::size_t>(a.layers), true);
  if (family.name == "MixtralForCausalLM") read_mixtral(in, a, m);
  if (family.name == "GptOssForCausalLM") read_gpt_oss(in, a, m);
  if (family.name == "Qwen3MoeForCausalLM") read_qwen3(in, a, m);
  if (family.latent) read_deepseek(in, a, m, family.name == "DeepseekV3ForCausalLM");
  check_choice(in, "num_experts_per_tok", m);
  a.moe = std::move(m);
}

void read_latent(Reader& in, Architecture& a) {
  const Document* q_rank = in.raw("q_lora_rank");
  LatentAttention m;
  m.q_rank = q_rank == nullptr                      ? 1536
             : q_rank->kind == Document::Kind::null ? 0
                                                    : read_size(in, "q_lora_rank");
  m.kv_rank = read_size(in, "kv_lora_rank", 512);
  m.nope_dim = read_size(in, "qk_nope_head_dim", 128);
  m.rope_dim = read_size(in, "qk_rope_head_dim", 64);
  m.v_dim = read_size(in, "v_head_dim", 128);
  in.raw("qk_head_dim");
  if (m.rope_dim % 2 != 0) in.error("qk_rope_head_dim", "must be even");
  a.head_dim = m.nope_dim + m.rope_dim;
  a.kv_heads = a.heads;
  a.latent = m;
}

}  // namespace inferometer
