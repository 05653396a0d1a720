#pragma once
#include <string>
#include <vector>

#include "roofline/kernels/mla_kernel.hpp"

namespace inferometer {

enum class ProjectionFormat : std::uint8_t { bf16, fp8_block };
template <>
struct Names<ProjectionFormat> {
  static constexpr std::array list{std::pair{ProjectionFormat::bf16, std::string_view{"bf16"}},
                                   std::pair{ProjectionFormat::fp8_block, std::string_view{"fp8_block"}}};
};

/// The attention module of DeepSeek-V3 on one rank, t = batch * q_len tokens of 7168, h heads:
///   down   x [t, 7168] to q [t, 1536] and latents [t, 512 + 64], normalised
///   q      [t, 1536] to [t, h 192]
///   context: latents to keys and values [t, h 256]; generation: absorbed products, as MlaBmm
///   attention, as MlaKernel
///   out    [t, h 128] to [t, 7168]
struct MlaModule {
  static constexpr std::string_view name = "mla_module";
  AttentionPhase phase = AttentionPhase::generation;
  ProjectionFormat projections = ProjectionFormat::bf16;
  LatentFormat kv = LatentFormat::bf16;
  std::int64_t batch = 1, q_len = 1, kv_len = 1, heads = 1;

  std::string variant() const;
  /// Too few head counts exist to keep each together.
  std::vector<std::int64_t> shape() const { return {heads, batch}; }
  std::string label() const;
  std::vector<double> features() const;
  /// The rate of what is not bf16; bf16 runs at the chip's bf16 rate.
  DType multiplied() const;
  std::span<const KernelParameter> parameters() const;

  /// A floor of all kernels, each projection by the longer of its tiles and its memory, the core, and what
  /// norms and conversions move.
  /// returns  the time with its parts [us]
  /// source   sizes: DeepSeek-AI, "DeepSeek-V3 Technical Report", 2024, section 4.2
  KernelTime time(const Chip& chip, Values p) const;
};

}  // namespace inferometer
