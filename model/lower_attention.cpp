#include <cmath>

#include "model/lowering.hpp"

namespace inferometer {
namespace {

std::string tensor_prefix(const StructureBuilder& b) {
  return "model.layers." + std::to_string(b.layer()) + ".self_attn.";
}

/// Of the norms of latents: the reference does not pass rms_norm_eps on to them.
constexpr double latent_norm_eps = 1e-6;

/// DeepSeek multiplies the scale by the square of yarn's magnitude correction (arXiv 2309.00071,
/// section 3.4).
double latent_scale(const Architecture& a) {
  if (a.attention_scale > 0) return a.attention_scale;
  const double plain = 1.0 / std::sqrt(static_cast<double>(a.latent->nope_dim + a.latent->rope_dim));
  if (a.rope.scaling != RopeScaling::yarn || a.rope.mscale_all_dim == 0 || a.rope.factor <= 1) return plain;
  const double m = 0.1 * a.rope.mscale_all_dim * std::log(a.rope.factor) + 1.0;
  return plain * m * m;
}

}  // namespace

View lower_attention(StructureBuilder& b, const Architecture& a, View x) {
  const std::string at = tensor_prefix(b);
  const std::int64_t ranks = b.plan().parallel.tensor, d = a.head_dim;
  const std::int64_t heads = a.heads / ranks, kv_heads = std::max<std::int64_t>(1, a.kv_heads / ranks);
  const DType kv_dtype = b.plan().precision.kv.at(b.layer(), Role::attention);
  const View q = b.linear(Role::q, x, heads * d, at + "q_proj", a.qkv_bias);
  const View k = b.linear(Role::k, x, kv_heads * d, at + "k_proj", a.qkv_bias);
  const View v = b.linear(Role::v, x, kv_heads * d, at + "v_proj", a.qkv_bias);
  if (a.qk_norm) {
    b.norm(Role::norm, q, q, at + "q_norm", heads, a.norm_eps);
    b.norm(Role::norm, k, k, at + "k_norm", kv_heads, a.norm_eps);
  }
  const auto rotary = static_cast<std::int64_t>(static_cast<double>(d) * a.rope.partial_factor);
  const View q_turned{q.buffer, 0, heads * rotary, heads, d},
      k_turned{k.buffer, 0, kv_heads * rotary, kv_heads, d};
  b.node(Role::rope,
         RopeApply{.q_heads = heads,
                   .k_heads = kv_heads,
                   .rotary = rotary,
                   .interleaved = a.rope.interleaved,
                   .dtype = b.activations()},
         Rows::tokens, {q_turned, k_turned}, {q_turned, k_turned});
  b.node(Role::kv_write,
         KvWrite{
             .kv_heads = kv_heads, .head_dim = d, .v_dim = d, .dtype = b.activations(), .kv_dtype = kv_dtype},
         Rows::tokens, {k, v}, {});
  const View y = b.buffer("attention", Rows::tokens, heads * d, b.activations());
  std::vector<std::int32_t> weights;
  if (a.attention_sinks) weights.push_back(b.vector(at + "sinks", heads, DType::f32));
  const double scale = a.attention_scale > 0 ? a.attention_scale : 1.0 / std::sqrt(static_cast<double>(d));
  std::vector<View> reads{q};
  if (b.plan().kernels.attention == AttentionKernel::cudnn) reads = {q, k, v};
  b.node(Role::attention,
         Attention{.slices = {},
                   .heads = heads,
                   .kv_heads = kv_heads,
                   .head_dim = d,
                   .v_dim = d,
                   .window = a.window_of(b.layer()),
                   .scale = scale,
                   .sinks = a.attention_sinks,
                   .dtype = b.activations(),
                   .kv_dtype = kv_dtype,
                   .kernel = b.plan().kernels.attention},
         Rows::tokens, std::move(reads), {y}, std::move(weights));
  b.structure().states.push_back(
      {.kv_heads = kv_heads, .head_dim = d, .v_dim = d, .window = a.window_of(b.layer()), .dtype = kv_dtype});
  return b.all_reduce(b.linear(Role::o, y, a.hidden, at + "o_proj", a.o_bias));
}

View lower_latent_attention(StructureBuilder& b, const Architecture& a, View x) {
  const LatentAttention& m = *a.latent;
  const std::string at = tensor_prefix(b);
  const std::int64_t heads = a.heads / b.plan().parallel.tensor;
  const std::int64_t q_dim = m.nope_dim + m.rope_dim, latent = m.kv_rank + m.rope_dim;
  const DType kv_dtype = b.plan().precision.kv.at(b.layer(), Role::attention);
  View q_in = x;
  if (m.q_rank > 0) {
    q_in = b.linear(Role::q_a, x, m.q_rank, at + "q_a_proj", a.qkv_bias);
    b.norm(Role::norm, q_in, q_in, at + "q_a_layernorm", 1, latent_norm_eps);
  }
  const View q = b.linear(Role::q_b, q_in, heads * q_dim, at + (m.q_rank > 0 ? "q_b_proj" : "q_proj"), false);
  const View kv = b.linear(Role::kv_a, x, latent, at + "kv_a_proj_with_mqa", a.qkv_bias);
  const View compressed{kv.buffer, 0, m.kv_rank};
  b.norm(Role::norm, compressed, compressed, at + "kv_a_layernorm", 1, latent_norm_eps);

  // Queries in the latent space: per head [absorbed nope part, rotated part].
  const View absorbed = b.buffer("absorbed", Rows::tokens, heads * latent, b.activations());
  const View q_rope{q.buffer, m.nope_dim, heads * m.rope_dim, heads, q_dim};
  const View absorbed_rope{absorbed.buffer, m.kv_rank, heads * m.rope_dim, heads, latent};
  const View k_rope{kv.buffer, m.kv_rank, m.rope_dim};
  b.node(Role::rope,
         RopeApply{.q_heads = heads,
                   .k_heads = 1,
                   .rotary = m.rope_dim,
                   .interleaved = a.rope.interleaved,
                   .dtype = b.activations()},
         Rows::tokens, {q_rope, k_rope}, {absorbed_rope, k_rope});
  b.node(
      Role::kv_write,
      KvWrite{.kv_heads = 1, .head_dim = latent, .v_dim = 0, .dtype = b.activations(), .kv_dtype = kv_dtype},
      Rows::tokens, {kv}, {});
  const DType w = b.plan().precision.weights.at(b.layer(), Role::absorb);
  WeightSpec absorb{at + "kv_b_proj.weight#absorb", heads, m.kv_rank, m.nope_dim, {w}, {}};
  WeightSpec expand{at + "kv_b_proj.weight#expand", heads, m.v_dim, m.kv_rank, {w}, {}};
  for (std::int64_t h = 0; h < heads; ++h) {
    const std::int64_t first = h * (m.nope_dim + m.v_dim);
    absorb.parts.push_back({.tensor = at + "kv_b_proj.weight",
                            .matrix = h,
                            .rows = m.kv_rank,
                            .source_column = first,
                            .transposed = true});
    expand.parts.push_back(
        {.tensor = at + "kv_b_proj.weight", .matrix = h, .rows = m.v_dim, .source_row = first + m.nope_dim});
  }
  b.node(Role::absorb,
         BatchedLinear{.heads = heads,
                       .in = m.nope_dim,
                       .out = m.kv_rank,
                       .x = b.activations(),
                       .y = b.activations(),
                       .w = {w}},
         Rows::tokens, {View{q.buffer, 0, heads * m.nope_dim, heads, q_dim}},
         {View{absorbed.buffer, 0, heads * m.kv_rank, heads, latent}}, {b.weight(std::move(absorb))});
  const View mixed = b.buffer("attention", Rows::tokens, heads * m.kv_rank, b.activations());
  b.node(Role::attention,
         Attention{.slices = {},
                   .heads = heads,
                   .kv_heads = 1,
                   .head_dim = latent,
                   .v_dim = m.kv_rank,
                   .scale = latent_scale(a),
                   .v_in_k = true,
                   .dtype = b.activations(),
                   .kv_dtype = kv_dtype,
                   .kernel = b.plan().kernels.attention},
         Rows::tokens, {absorbed}, {mixed});
  const View values = b.buffer("expand", Rows::tokens, heads * m.v_dim, b.activations());
  b.node(Role::expand,
         BatchedLinear{.heads = heads,
                       .in = m.kv_rank,
                       .out = m.v_dim,
                       .x = b.activations(),
                       .y = b.activations(),
                       .w = {w}},
         Rows::tokens, {mixed}, {values}, {b.weight(std::move(expand))});
  b.structure().states.push_back({.kv_heads = 1, .head_dim = latent, .v_dim = 0, .dtype = kv_dtype});
  return b.all_reduce(b.linear(Role::o, values, a.hidden, at + "o_proj", a.o_bias));
}

}  // namespace inferometer
