#pragma once
#include "model/architecture.hpp"
#include "model/reader.hpp"

namespace inferometer {

/// What differs between the families that are read; the list is in hf_config.cpp.
struct HfFamily {
  std::string_view name;  ///< as in `architectures`
  bool qkv_bias, o_bias;  ///< where attention_bias is absent
  bool qk_norm;
  bool experts;                 ///< has routed experts
  bool latent;                  ///< multi-head latent attention
  double norm_eps, rope_theta;  ///< defaults of the configuration class
  bool tied;                    ///< default of tie_word_embeddings
};

/// Rotary embedding in either spelling: rope_theta + rope_scaling, or rope_parameters.
void read_rope(Reader& in, const HfFamily& family, Architecture& a);
/// layer_types, sliding_window, use_sliding_window, max_window_layers.
void read_windows(Reader& in, const HfFamily& family, Architecture& a);
/// Routed and shared experts in the spelling of each family.
void read_experts(Reader& in, const HfFamily& family, Architecture& a);
/// DeepSeek's latent attention.
void read_latent(Reader& in, Architecture& a);

/// A count within bounds that keep every later product inside 64 bits; tells what is wrong otherwise and
/// returns 1.
std::int64_t read_size(Reader& in, std::string_view key, std::optional<std::int64_t> otherwise = std::nullopt,
                       std::int64_t least = 1);

}  // namespace inferometer
