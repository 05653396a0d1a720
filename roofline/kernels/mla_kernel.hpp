#pragma once
#include <string>
#include <vector>

#include "roofline/kernels/mla_core.hpp"

namespace inferometer {

enum class LatentFormat : std::uint8_t { bf16, fp8 };
template <>
struct Names<LatentFormat> {
  static constexpr std::array list{std::pair{LatentFormat::bf16, std::string_view{"bf16"}},
                                   std::pair{LatentFormat::fp8, std::string_view{"fp8"}}};
};

/// Latent attention between its projections: context over fresh prompts, generation of one token a sequence.
struct MlaKernel {
  static constexpr std::string_view name = "mla_kernel";
  AttentionPhase phase = AttentionPhase::generation;
  LatentFormat kv = LatentFormat::bf16;
  std::int64_t batch = 1, q_len = 1, kv_len = 1, heads = 1;

  std::string variant() const;
  /// Too few head counts exist to keep each together.
  std::vector<std::int64_t> shape() const { return {heads, batch}; }
  std::string label() const;
  std::vector<double> features() const;
  /// Prompts expand latents to bf16 before they attend, whatever the cache holds.
  DType multiplied() const {
    return kv == LatentFormat::fp8 && phase == AttentionPhase::generation ? DType::fp8 : DType::bf16;
  }
  std::span<const KernelParameter> parameters() const;
  /// A floor, and what mla_core.hpp takes for the phase [us]. Before Hopper, whose matrix units take operands
  /// from shared memory, decode multiplies at a part of the rate: latents of 576 do not fit in registers.
  KernelTime time(const Chip& chip, Values p) const;
};

}  // namespace inferometer
