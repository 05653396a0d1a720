#pragma once
#include "model/builder.hpp"

namespace inferometer {

/// Lowers the attention half of a layer.   x: normed input [tokens, hidden]   returns its output before the
/// residual
View lower_attention(StructureBuilder& b, const Architecture& a, View x);
/// The same for multi-head latent attention in its absorbed form: queries are carried into the latent space,
/// so that the cache holds one latent of kv_rank + rope_dim per token and is read once for all heads.
View lower_latent_attention(StructureBuilder& b, const Architecture& a, View x);
/// Lowers the feed-forward half of a layer: dense, or routed experts beside shared ones.
View lower_feed_forward(StructureBuilder& b, const Architecture& a, View x);
/// The whole network, nothing fused or quantised yet.
void lower(Structure& structure, const Architecture& a, const Plan& plan);

}  // namespace inferometer
