#include "roofline/kernels/mla_module.hpp"

#include <algorithm>
#include <cmath>

#include "roofline/kernels/tiled_product.hpp"

namespace inferometer {
namespace {

constexpr double hidden = 7168, query_rank = 1536;

enum P : std::size_t { floor_, eff, weights, ramp, around };

constexpr std::array module_parameters{
    KernelParameter{"floor", "us", "all kernels, of no size", 5, 120, 32},
    KernelParameter{"projection_efficiency", "1",
                    "tiles of projections reach this fraction of the matrix peak", 0.3, 1.2, 1},
    KernelParameter{"projection_memory", "1", "projections reach this fraction of the memory bandwidth", 0.3,
                    1.05, 0.72},
    KernelParameter{"ramp", "us", "first loads of a projection's tile and its last store", 0.05, 8, 0.05},
    KernelParameter{"token_traffic", "1", "norms and conversions, relative to each projection's operands",
                    0.02, 8, 2.2},
};
constexpr auto decode_specs = joined(decode_parameters, module_parameters);
constexpr auto prefill_specs = joined(prefill_parameters, module_parameters);

std::vector<Products> products_of(const MlaModule& a) {
  const double t = static_cast<double>(a.batch) * static_cast<double>(a.q_len),
               h = static_cast<double>(a.heads);
  const double b = a.projections == ProjectionFormat::fp8_block ? 1 : 2;
  const double key = MlaCore::nope + MlaCore::rope, latent = MlaCore::latent;
  std::vector<Products> all{{1, t, query_rank + latent + MlaCore::rope, hidden, b, b},
                            {1, t, h * key, query_rank, b, b},
                            {1, t, hidden, h * MlaCore::value, b, b}};
  if (a.phase == AttentionPhase::context) {
    all.push_back({1, t, h * (MlaCore::nope + MlaCore::value), latent, b, b});
  } else {
    all.push_back({h, t, latent, MlaCore::nope, b, b});
    all.push_back({h, t, MlaCore::value, latent, b, b});
  }
  return all;
}

/// p  from the module's own parameters on
KernelTime projections_time(const MlaModule& a, const Chip& c, Values p) {
  KernelTime sum;
  for (const Products& of : products_of(a)) {
    const TileRates rates{.flops = a.projections == ProjectionFormat::fp8_block ? c.flops : c.bf16_flops,
                          .efficiency = p[eff],
                          .l2_feed = 70 * c.generation(),
                          .ramp = p[ramp],
                          .splits = 8};
    const double compute = tiles_time(of, rates, c);
    const double memory = of.bytes() / (c.bandwidth * p[weights]);
    const double moved = p[around] * 2 * of.heads * of.m * (of.k + of.n) / c.bandwidth;
    sum.compute += compute;
    sum.memory += memory + moved;
    sum.total += std::max(compute, memory) + 0.2 * std::min(compute, memory) + moved;
  }
  return sum;
}

}  // namespace

std::string MlaModule::variant() const {
  return std::string{inferometer::name(phase)} + "/" + std::string{inferometer::name(projections)} + "/" +
         std::string{inferometer::name(kv)};
}

std::string MlaModule::label() const {
  return "batch " + std::to_string(batch) + ", q " + std::to_string(q_len) + ", kv " +
         std::to_string(kv_len) + ", heads " + std::to_string(heads);
}

std::vector<double> MlaModule::features() const {
  return {std::log2(static_cast<double>(batch)), std::log2(static_cast<double>(kv_len)),
          std::log2(static_cast<double>(heads))};
}

DType MlaModule::multiplied() const {
  return kv == LatentFormat::fp8 || projections == ProjectionFormat::fp8_block ? DType::fp8 : DType::bf16;
}

std::span<const KernelParameter> MlaModule::parameters() const {
  return phase == AttentionPhase::context ? std::span<const KernelParameter>{prefill_specs} : decode_specs;
}

KernelTime MlaModule::time(const Chip& c, Values p) const {
  const bool context = phase == AttentionPhase::context;
  const MlaCore core{.batch = static_cast<double>(batch),
                     .kv_len = static_cast<double>(kv_len),
                     .heads = static_cast<double>(heads),
                     .kv_bytes = kv == LatentFormat::fp8 ? 1.0 : 2.0,
                     .flops = kv == LatentFormat::fp8 ? c.flops : c.bf16_flops};
  const Values own = p.subspan(context ? prefill_parameters.size() : decode_parameters.size());
  const KernelTime attended = context ? prefill_time(core, c, p) : decode_time(core, c, p);
  const KernelTime projected = projections_time(*this, c, own);
  return {own[floor_] + projected.total + attended.total, own[floor_], projected.compute + attended.compute,
          projected.memory + attended.memory};
}

}  // namespace inferometer
