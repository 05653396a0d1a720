#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "roofline/kernels/chip.hpp"
#include "roofline/kernels/kernel_time.hpp"
#include "roofline/kernels/parameter.hpp"

namespace inferometer {

/// _fn and chunk_ take whole prompts, _update and fused_recurrent_ one token of each sequence.
enum class LinearKernel : std::uint8_t {
  causal_conv1d_fn,
  causal_conv1d_update,
  chunk_gated_delta_rule,
  fused_recurrent_gated_delta_rule
};
template <>
struct Names<LinearKernel> {
  static constexpr std::array list{
      std::pair{LinearKernel::causal_conv1d_fn, std::string_view{"causal_conv1d_fn"}},
      std::pair{LinearKernel::causal_conv1d_update, std::string_view{"causal_conv1d_update"}},
      std::pair{LinearKernel::chunk_gated_delta_rule, std::string_view{"chunk_gated_delta_rule"}},
      std::pair{LinearKernel::fused_recurrent_gated_delta_rule,
                std::string_view{"fused_recurrent_gated_delta_rule"}}};
};

/// Layers whose state does not grow with the sequence, in bf16. Sequences all of one length.
///   causal convolution   x, y [batch, length, channels]   state [batch, channels, taps - 1]
///   gated delta rule     q, k [batch, length, key_heads, key_dim]   v, y [batch, length, value_heads,
///                        value_dim]   state [batch, value_heads, key_dim, value_dim]
struct LinearAttention {
  static constexpr std::string_view name = "linear_attention";
  LinearKernel kernel = LinearKernel::causal_conv1d_fn;
  std::int64_t batch = 1, length = 1;
  std::int64_t channels = 0, taps = 0;                                      ///< 0: not a convolution
  std::int64_t key_heads = 0, key_dim = 0, value_heads = 0, value_dim = 0;  ///< 0: not a delta rule

  std::string variant() const { return std::string{inferometer::name(kernel)}; }
  /// Too few widths exist to keep each together.
  std::vector<std::int64_t> shape() const;
  std::string label() const;
  std::vector<double> features() const;
  DType multiplied() const { return DType::bf16; }
  std::span<const KernelParameter> parameters() const;

  /// convolution of prompts   a block of a channel of a sequence goes through chunks of 512 tokens
  /// delta rule of prompts    a few kernels over chunks of 64 tokens: products within the chunks, by waves of
  ///                          blocks; traffic of what one kernel leaves to the next; and the state, which
  ///                          goes from chunk to chunk of a sequence
  /// one token                Elementwise: the state read and written
  ///
  /// returns  the time with its parts [us]
  /// source   chunks: Yang, Kautz, Hatamizadeh, "Gated Delta Networks", 2024, section 3.3. Convolution: Gu,
  ///          Dao, "Mamba", 2023, section 3.4
  KernelTime time(const Chip& chip, Values p) const;
};

}  // namespace inferometer
