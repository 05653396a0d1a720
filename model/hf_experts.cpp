#include <algorithm>

#include "model/hf_reading.hpp"

namespace inferometer {
namespace {

std::string text(std::int64_t number) { return std::to_string(number); }

constexpr SizeRule experts_or(std::int64_t otherwise) {
  return {.most = hf_most::experts, .otherwise = otherwise};
}

void read_mixtral(Reader& in, const Architecture& a, MixtureOfExperts& m) {
  m.experts = read_size(in, "num_local_experts", experts_or(8));
  m.top_k = read_size(in, "num_experts_per_tok", experts_or(2));
  m.intermediate = a.intermediate;
  m.softmax_after_top_k = true;  // softmax over all, then the chosen ones divided by their sum: the same
}

void read_gpt_oss(Reader& in, const Architecture& a, MixtureOfExperts& m) {
  m.experts = read_size(in, spelling(in, {"num_local_experts", "num_experts"}), experts_or(128));
  m.top_k = read_size(in, spelling(in, {"num_experts_per_tok", "experts_per_token"}), experts_or(4));
  m.intermediate = a.intermediate;
  m.softmax_after_top_k = true;
  m.router_bias = true;
  if (in.optional<double>("swiglu_limit", 7.0) != 7.0) in.error("swiglu_limit", "only 7 is understood");
  if (in.optional<double>("swiglu_alpha", 1.702) != 1.702)
    in.error("swiglu_alpha", "only 1.702 is understood");
}

void read_qwen3(Reader& in, const Architecture& a, MixtureOfExperts& m) {
  m.experts = read_size(in, spelling(in, {"num_experts", "num_local_experts"}), experts_or(128));
  m.top_k = read_size(in, "num_experts_per_tok", experts_or(8));
  m.intermediate = read_size(in, "moe_intermediate_size", {.otherwise = 768});
  m.normalize_top_k = in.optional<bool>("norm_topk_prob", false);
  const std::int64_t step = read_size(in, "decoder_sparse_step", {.most = hf_most::layers, .otherwise = 1});
  std::vector<std::int64_t> dense;
  if (given(in, "mlp_only_layers")) dense = *in.list<std::int64_t>("mlp_only_layers");
  for (const std::int64_t layer : dense) {
    if (layer < 0 || layer >= a.layers)
      in.error("mlp_only_layers",
               "names layer " + text(layer) + " of " + text(a.layers) + ", counted from 0");
  }
  for (std::int64_t layer = 0; layer < a.layers; ++layer) {
    const bool listed = std::find(dense.begin(), dense.end(), layer) != dense.end();
    m.sparse_layer[static_cast<std::size_t>(layer)] = !listed && (layer + 1) % step == 0;
  }
}

/// How DeepSeek's router scores and ranks; each family has one scoring function.
void read_deepseek_choice(Reader& in, MixtureOfExperts& m, bool v3) {
  const std::string scoring = v3 ? "sigmoid" : "softmax", plain = v3 ? "noaux_tc" : "greedy";
  const std::string said = in.optional<std::string>("scoring_func", scoring);
  if (!said.empty() && said != scoring)
    in.error("scoring_func", "\"" + said + "\" is not understood for this architecture; expected " + scoring);
  m.score = v3 ? RouterScore::sigmoid : RouterScore::softmax;
  const std::string method = in.optional<std::string>("topk_method", plain);
  if (method == "group_limited_greedy" && !v3) {
    m.group_rank = GroupRank::best;
  } else if (!method.empty() && method != plain) {
    in.error("topk_method", "\"" + method + "\" is not understood for this architecture; expected " +
                                (v3 ? "noaux_tc" : "greedy or group_limited_greedy"));
  } else if (v3) {
    m.group_rank = GroupRank::best_two;
    m.score_correction_bias = true;
  }
}

void check_groups(Reader& in, MixtureOfExperts& m) {
  if (m.group_rank == GroupRank::none) {
    m.groups = m.top_groups = 1;
    return;
  }
  if (m.experts % m.groups != 0) {
    in.error("n_group", text(m.groups) + " does not divide " + text(m.experts) + " experts");
  } else if (m.top_groups > m.groups) {
    in.error("topk_group", text(m.top_groups) + " groups are chosen out of " + text(m.groups));
  } else if (m.group_rank == GroupRank::best_two && m.experts / m.groups < 2) {
    in.error("n_group", "groups are ranked by their best two experts, and have one");
  } else if (m.top_k <= m.experts && m.top_k > m.experts / m.groups * m.top_groups) {
    in.error("num_experts_per_tok", text(m.top_k) + " experts are chosen out of " +
                                        text(m.experts / m.groups * m.top_groups) + " in the chosen groups");
  }
}

void read_deepseek(Reader& in, const Architecture& a, MixtureOfExperts& m, bool v3) {
  m.experts = read_size(in, spelling(in, {"n_routed_experts", v3 ? "num_local_experts" : "num_experts"}),
                        experts_or(v3 ? 256 : 64));
  // V2's class has no default for the number of chosen experts.
  m.top_k = read_size(in, "num_experts_per_tok", v3 ? experts_or(8) : SizeRule{.most = hf_most::experts});
  m.intermediate = read_size(in, "moe_intermediate_size", {.otherwise = v3 ? 2048 : 1407});
  const bool no_shared = in.has("n_shared_experts") && !given(in, "n_shared_experts");
  m.shared_intermediate =
      no_shared ? 0
                : m.intermediate *
                      read_size(in, "n_shared_experts", {.most = 1024, .otherwise = v3 ? 1 : 2, .least = 0});
  m.normalize_top_k = in.optional<bool>("norm_topk_prob", v3);
  m.scaling = read_positive(in, "routed_scaling_factor", v3 ? 2.5 : 1.0);
  // V2's published code scales only weights that it has not normalised.
  if (!v3 && m.normalize_top_k && m.top_k > 1) m.scaling = 1.0;
  m.groups =
      read_size(in, "n_group", {.most = hf_most::experts, .otherwise = v3 ? 8 : 1, .null_is_absent = !v3});
  m.top_groups =
      read_size(in, "topk_group", {.most = hf_most::experts, .otherwise = v3 ? 4 : 1, .null_is_absent = !v3});
  read_deepseek_choice(in, m, v3);
  check_groups(in, m);
  const std::int64_t dense =
      read_size(in, "first_k_dense_replace", {.most = hf_most::layers, .otherwise = v3 ? 3 : 0, .least = 0});
  const std::int64_t every = read_size(in, "moe_layer_freq", {.most = hf_most::layers, .otherwise = 1});
  for (std::int64_t layer = 0; layer < a.layers; ++layer) {
    m.sparse_layer[static_cast<std::size_t>(layer)] = layer >= dense && layer % every == 0;
  }
}

}  // namespace

void read_experts(Reader& in, const HfFamily& family, Architecture& a) {
  MixtureOfExperts m;
  m.sparse_layer.assign(static_cast<std::size_t>(a.layers), true);
  const std::size_t told = in.errors().size();
  if (family.name == "MixtralForCausalLM") read_mixtral(in, a, m);
  if (family.name == "GptOssForCausalLM") read_gpt_oss(in, a, m);
  if (family.name == "Qwen3MoeForCausalLM") read_qwen3(in, a, m);
  if (family.latent) read_deepseek(in, a, m, family.name == "DeepseekV3ForCausalLM");
  if (m.top_k > m.experts && in.errors().size() == told)
    in.error("num_experts_per_tok", text(m.top_k) + " experts are chosen out of " + text(m.experts));
  a.moe = std::move(m);
}

}  // namespace inferometer
