#include "roofline/kernels/mla_bmm.hpp"

#include <algorithm>
#include <cmath>

#include "roofline/kernels/tiled_product.hpp"

namespace inferometer {
namespace {

enum P : std::size_t { floor_, eff, hm, feed, ramp, epi, soft, mem, hot, ovl, q0, qb };

constexpr std::array specs{
    KernelParameter{"floor", "us", "a call of no size", 0.5, 12, 3.7},
    KernelParameter{"matrix_efficiency", "1", "tiles that are fed reach this fraction of the matrix peak",
                    0.02, 1.2, 0.72},
    KernelParameter{"half_tile", "1", "harmonic tile edge at which half of the rate is reached", 0.5, 60,
                    2.4},
    KernelParameter{"l2_feed", "B/cycle", "operand bytes a multiprocessor takes from L2 each cycle", 10, 200,
                    78},
    KernelParameter{"ramp", "us", "first loads of a tile and its last store", 0.02, 5, 0.81},
    KernelParameter{"epilogue", "us", "store of a 128 x 128 tile", 0.01, 8, 0.065},
    KernelParameter{"whole_waves", "1", "0: work is spread over waves evenly, 1: waves are whole", 0.001, 1,
                    0.46},
    KernelParameter{"memory_efficiency", "1", "operands reach this fraction of the memory bandwidth", 0.3,
                    1.05, 0.84},
    KernelParameter{"cache_rate", "1", "of operands that lie in L2, relative to memory", 0.8, 8, 2.1},
    KernelParameter{"overlap_loss", "1", "part of the shorter of compute and memory that is not hidden", 0,
                    0.9, 0.33},
    KernelParameter{"quantize", "us", "kernels that convert the inputs, of no size", 0.001, 8, 1.3},
    KernelParameter{"quantize_traffic", "1", "their traffic, relative to reading the inputs once from memory",
                    0.01, 30, 0.39},
};

Products products_of(const MlaBmm& b) {
  const bool pre = b.op == AbsorptionOp::mla_gen_pre;
  const double element = b.format == LatentFormat::fp8 ? 1.0 : 2.0;
  return {static_cast<double>(b.heads),
          static_cast<double>(b.tokens),
          pre ? MlaCore::latent : MlaCore::value,
          pre ? MlaCore::nope : MlaCore::latent,
          element,
          element};
}

}  // namespace

std::string MlaBmm::variant() const {
  return std::string{inferometer::name(op)} + "/" + std::string{inferometer::name(format)};
}

std::string MlaBmm::label() const {
  return "tokens " + std::to_string(tokens) + ", heads " + std::to_string(heads);
}

std::vector<double> MlaBmm::features() const {
  return {std::log2(static_cast<double>(tokens)), std::log2(static_cast<double>(heads))};
}

std::span<const KernelParameter> MlaBmm::parameters() const {
  return format == LatentFormat::fp8 ? std::span{specs} : std::span{specs}.first(10);
}

KernelTime MlaBmm::time(const Chip& c, Values p) const {
  const Products s = products_of(*this);
  const double cached = std::clamp((1.1 * c.l2 - s.bytes()) / (0.8 * c.l2), 0.0, 1.0);
  const double bandwidth = c.bandwidth * p[mem];
  double memory = s.bytes() * (1 - cached + cached / p[hot]) / bandwidth;
  const double compute = tiles_time(s,
                                    {.flops = c.flops,
                                     .efficiency = p[eff],
                                     .half_tile = p[hm],
                                     .l2_feed = p[feed],
                                     .ramp = p[ramp],
                                     .epilogue = p[epi],
                                     .whole_waves = p[soft]},
                                    c);
  double total = std::max(compute, memory) + p[ovl] * std::min(compute, memory);
  double floor = p[floor_];
  if (format == LatentFormat::fp8) {
    const double converting = p[qb] * s.heads * s.m * s.k * 3 / bandwidth;
    floor += p[q0];
    memory += converting;
    total += converting;
  }
  return {floor + total, floor, compute, memory};
}

}  // namespace inferometer
