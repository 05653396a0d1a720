#include "model/architecture.hpp"

namespace inferometer {
namespace {

std::int64_t attention_parameters(const Architecture& a) {
  if (a.latent) {
    const LatentAttention& m = *a.latent;
    const std::int64_t q_out = a.heads * (m.nope_dim + m.rope_dim), kv_out = m.kv_rank + m.rope_dim;
    const std::int64_t q =
        m.q_rank > 0 ? a.hidden * m.q_rank + m.q_rank + m.q_rank * q_out : a.hidden * q_out;
    const std::int64_t kv = a.hidden * kv_out + m.kv_rank + m.kv_rank * a.heads * (m.nope_dim + m.v_dim);
    const std::int64_t biases = a.qkv_bias ? kv_out + (m.q_rank > 0 ? m.q_rank : 0) : 0;
    return q + kv + biases + a.heads * m.v_dim * a.hidden + (a.o_bias ? a.hidden : 0);
  }
  const std::int64_t q = a.heads * a.head_dim, kv = a.kv_heads * a.head_dim;
  return a.hidden * (q + 2 * kv) + (a.qkv_bias ? q + 2 * kv : 0) + q * a.hidden + (a.o_bias ? a.hidden : 0) +
         (a.qk_norm ? 2 * a.head_dim : 0) + (a.attention_sinks ? a.heads : 0);
}

std::int64_t feed_forward_parameters(const Architecture& a, std::int64_t layer) {
  if (!a.is_sparse(layer))
    return 3 * a.hidden * a.intermediate + (a.mlp_bias ? 2 * a.intermediate + a.hidden : 0);
  const MixtureOfExperts& m = *a.moe;
  const bool biases = a.family == "GptOssForCausalLM";
  const std::int64_t expert = 3 * a.hidden * m.intermediate + (biases ? 2 * m.intermediate + a.hidden : 0);
  return m.experts * expert + m.experts * a.hidden + (m.router_bias ? m.experts : 0) +
         3 * a.hidden * m.shared_intermediate;
}

}  // namespace

std::int64_t parameter_count(const Architecture& a) {
  std::int64_t sum = a.vocab * a.hidden * (a.tied_embeddings ? 1 : 2) + a.hidden;
  for (std::int64_t layer = 0; layer < a.layers; ++layer) {
    sum += attention_parameters(a) + feed_forward_parameters(a, layer) + 2 * a.hidden;
  }
  return sum;
}

Bytes kv_bytes_per_token(const Architecture& a, DType dtype) {
  const std::int64_t elements =
      a.latent ? a.latent->kv_rank + a.latent->rope_dim : 2 * a.kv_heads * a.head_dim;
  return a.layers * size_of(elements, dtype);
}

}  // namespace inferometer
