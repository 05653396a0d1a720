#pragma once
#include <string>
#include <vector>

#include "roofline/kernels/mla_kernel.hpp"

namespace inferometer {

enum class AbsorptionOp : std::uint8_t { mla_gen_pre, mla_gen_post };
template <>
struct Names<AbsorptionOp> {
  static constexpr std::array list{std::pair{AbsorptionOp::mla_gen_pre, std::string_view{"mla_gen_pre"}},
                                   std::pair{AbsorptionOp::mla_gen_post, std::string_view{"mla_gen_post"}}};
};

/// The products that latent attention absorbs into queries and outputs, one a head h:
///   pre   y[h] [tokens, 512] = x[h] [tokens, 128] W[h] [128, 512]
///   post  y[h] [tokens, 128] = x[h] [tokens, 512] W[h] [512, 128]
struct MlaBmm {
  static constexpr std::string_view name = "mla_bmm";
  AbsorptionOp op = AbsorptionOp::mla_gen_pre;
  LatentFormat format = LatentFormat::bf16;
  std::int64_t tokens = 1, heads = 1;

  std::string variant() const;
  /// Too few head counts exist to keep each together.
  std::vector<std::int64_t> shape() const { return {heads, tokens}; }
  std::string label() const;
  std::vector<double> features() const;
  DType multiplied() const { return format == LatentFormat::fp8 ? DType::fp8 : DType::bf16; }
  std::span<const KernelParameter> parameters() const;

  /// The best of tile shapes: the longer of tiles in waves and memory, a part of the shorter one, a floor; of
  /// fp8 the conversion of x.
  /// returns  the time with its parts [us]
  /// source   as of Gemm
  KernelTime time(const Chip& chip, Values p) const;
};

}  // namespace inferometer
