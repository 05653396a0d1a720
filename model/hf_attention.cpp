#include <algorithm>

#include "model/hf_reading.hpp"

namespace inferometer {
namespace {

std::string text(std::int64_t number) { return std::to_string(number); }

void read_biases(Reader& in, const HfFamily& family, Architecture& a) {
  a.qkv_bias = family.qkv_bias;
  a.o_bias = family.o_bias;
  if (!family.reads_bias) {
    expect_fixed(in, family, "attention_bias", family.qkv_bias);
  } else if (const auto bias = in.maybe<bool>("attention_bias")) {
    a.qkv_bias = a.o_bias = *bias;
  }
  if (family.reads_mlp_bias) {
    a.mlp_bias = in.optional<bool>("mlp_bias", false);
  } else if (family.latent) {
    // DeepSeek-V2's class gives the shared experts a bias too, which no published network has.
    if (in.optional<bool>("mlp_bias", false)) in.error("mlp_bias", "only false is understood");
  } else {
    expect_fixed(in, family, "mlp_bias", false);
  }
}

}  // namespace

void read_attention(Reader& in, const HfFamily& family, Architecture& a) {
  const std::size_t told = in.errors().size();
  a.heads = read_size(in, "num_attention_heads", {.most = hf_most::heads});
  // Absent and null differ: absent takes the class's own number, null as many as heads.
  const std::int64_t kv_default =
      in.has("num_key_value_heads") || family.kv_heads == 0 ? a.heads : family.kv_heads;
  a.kv_heads = read_size(in, "num_key_value_heads",
                         {.most = hf_most::heads, .otherwise = kv_default, .null_is_absent = true});
  const std::int64_t plain = std::max<std::int64_t>(1, a.hidden / a.heads);
  const bool derived = !given(in, "head_dim") && family.head_dim == 0 && !family.latent;
  const std::int64_t otherwise = family.head_dim > 0 && !in.has("head_dim") ? family.head_dim : plain;
  a.head_dim =
      read_size(in, "head_dim", {.most = hf_most::head_dim, .otherwise = otherwise, .null_is_absent = true});
  read_biases(in, family, a);
  a.qk_norm = family.qk_norm;
  a.attention_sinks = a.family == "GptOssForCausalLM";
  if (in.errors().size() > told) return;  // what follows would repeat it
  if (derived && a.hidden % a.heads != 0) {
    in.error("num_attention_heads",
             text(a.heads) + " does not divide hidden_size " + text(a.hidden) + ", and there is no head_dim");
  }
  if (!family.latent && a.heads % a.kv_heads != 0) {
    in.error("num_key_value_heads",
             text(a.kv_heads) + " does not divide num_attention_heads " + text(a.heads));
  }
}

void read_latent(Reader& in, Architecture& a) {
  LatentAttention m;
  // Null says that queries are projected directly; absent takes the class's rank.
  m.q_rank = in.has("q_lora_rank") && !given(in, "q_lora_rank")
                 ? 0
                 : read_size(in, "q_lora_rank", {.otherwise = 1536});
  m.kv_rank = read_size(in, "kv_lora_rank", {.otherwise = 512});
  m.nope_dim = read_size(in, "qk_nope_head_dim", {.most = hf_most::head_dim, .otherwise = 128});
  m.rope_dim = read_size(in, "qk_rope_head_dim", {.most = hf_most::head_dim, .otherwise = 64});
  m.v_dim = read_size(in, "v_head_dim", {.most = hf_most::head_dim, .otherwise = 128});
  const std::int64_t q_dim = m.nope_dim + m.rope_dim;
  if (given(in, "qk_head_dim") && in.optional<std::int64_t>("qk_head_dim", q_dim) != q_dim) {
    in.error("qk_head_dim", "must be qk_nope_head_dim + qk_rope_head_dim, " + text(q_dim));
  }
  if (m.rope_dim % 2 != 0) in.error("qk_rope_head_dim", text(m.rope_dim) + " is odd; pairs are rotated");
  a.head_dim = q_dim;
  a.kv_heads = a.heads;  // the latent is expanded to every head, whatever num_key_value_heads says
  a.latent = m;
}

}  // namespace inferometer
