#pragma once
#include <initializer_list>

#include "model/architecture.hpp"
#include "model/reader.hpp"

namespace inferometer {

/// Which layers of a family look back through a sliding window.
enum class HfWindows : std::uint8_t {
  none,         ///< no key for it
  every_layer,  ///< wherever there is a sliding_window (Mistral, Mixtral)
  switched,     ///< every layer, where use_sliding_window is set (Qwen3-MoE)
  by_layer,     ///< layer_types, or the layers from max_window_layers on (Qwen2, Qwen3)
  alternating   ///< layer_types, or every other layer from the first on (gpt-oss)
};

/// What differs between the families that are read: fixed facts, and defaults of the configuration class for
/// keys that may be absent. The list is in hf_families.hpp.
struct HfFamily {
  std::string_view name;   ///< as in `architectures`
  bool qkv_bias = false;   ///< where attention_bias is absent or not read
  bool o_bias = false;     ///< likewise
  bool reads_bias = true;  ///< the forward pass reads attention_bias
  bool reads_mlp_bias = false;
  bool qk_norm = false;
  bool experts = false;  ///< has routed experts
  bool latent = false;   ///< multi-head latent attention
  double norm_eps = 1e-6;
  double rope_theta = 1e4;
  std::int64_t kv_heads = 0;  ///< 0: as many as heads
  std::int64_t head_dim = 0;  ///< 0: hidden_size / num_attention_heads
  std::int64_t max_positions = 2048;
  HfWindows windows = HfWindows::none;
  std::int64_t window = 0;  ///< size where sliding_window is absent; null means none
};

/// Upper bounds far above any network, so that no product of two or three sizes leaves 64 bits.
namespace hf_most {
inline constexpr std::int64_t layers = 10'000, width = 1 << 20, heads = 1 << 14, head_dim = 1 << 14,
                              vocab = 1 << 27, experts = 1 << 16, positions = 1'000'000'000;
inline constexpr double parameters = 1e13;
}  // namespace hf_most

/// The range of a size and what it is where the key is absent (nullopt: the key is required).
struct SizeRule {
  std::int64_t most = hf_most::width;
  std::optional<std::int64_t> otherwise{};
  std::int64_t least = 1;
  bool null_is_absent = false;
};
/// A whole number in its range; otherwise tells what is wrong and returns the least.
std::int64_t read_size(Reader& in, std::string_view key, const SizeRule& rule);
/// A positive, finite number; otherwise tells what is wrong and returns 1.
double read_positive(Reader& in, std::string_view key, std::optional<double> otherwise = std::nullopt);
/// The one of several spellings of a key that stands, the first where none does. Spellings that stand
/// together must agree.
std::string_view spelling(Reader& in, std::initializer_list<std::string_view> keys);

/// Whether `key` stands with a value other than null. Counts as asked for.
inline bool given(Reader& in, std::string_view key) {
  const Document* value = in.raw(key);
  return value != nullptr && value->kind != Document::Kind::null;
}
/// Tells that `key` has a value the family's forward pass has no use for, unless it is absent, null or
/// `fixed`.
void expect_fixed(Reader& in, const HfFamily& family, std::string_view key, bool fixed);

/// Heads, their size, biases.
void read_attention(Reader& in, const HfFamily& family, Architecture& a);
/// DeepSeek's latent attention.
void read_latent(Reader& in, Architecture& a);
/// Rotary embedding in either spelling: rope_theta + rope_scaling, or rope_parameters.
void read_rope(Reader& in, const HfFamily& family, Architecture& a);
/// layer_types, sliding_window, use_sliding_window, max_window_layers.
void read_windows(Reader& in, const HfFamily& family, Architecture& a);
/// Routed and shared experts in the spelling of each family.
void read_experts(Reader& in, const HfFamily& family, Architecture& a);
/// The published weights' format: torch_dtype or dtype, unless a quantization_config says otherwise.
void read_weights(Reader& in, Architecture& a);

}  // namespace inferometer
