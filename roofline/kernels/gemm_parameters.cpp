#include "roofline/kernels/gemm_parameters.hpp"

#include <array>

namespace inferometer {
namespace {

constexpr std::array specs{
    KernelParameter{"floor", "us", "a product of no size", 0.3, 10, 2.6},
    KernelParameter{"matrix_efficiency", "1", "tiles that are fed reach this fraction of the matrix peak",
                    0.4, 1.3, 0.95},
    KernelParameter{"half_tile", "1", "harmonic tile edge at which half of the rate is reached", 0.5, 40, 8},
    KernelParameter{"l2_feed", "B/cycle", "operand bytes a multiprocessor takes from L2 each cycle", 15, 200,
                    70},
    KernelParameter{"step", "us", "a step of 64 along k", 0.005, 0.4, 0.05},
    KernelParameter{"memory_efficiency", "1", "long streams reach this fraction of the memory bandwidth", 0.5,
                    1.05, 0.9},
    KernelParameter{"memory_latency", "us",
                    "from a load to its data, with 64 KiB in flight per multiprocessor", 0.2, 6, 1.2},
    KernelParameter{"overlap_loss", "1",
                    "part of the shorter of compute and memory that the longer does not hide", 0, 0.6, 0.25},
    KernelParameter{"whole_waves", "1", "0: work is spread over waves evenly, 1: waves are whole", 0.001, 1,
                    0.3},
    KernelParameter{"ramp", "us", "first loads of a tile and its last store", 0.1, 5, 0.8},
    KernelParameter{"split", "us", "meeting of the parts of a split k", 0.2, 12, 2.2},
    KernelParameter{"split_traffic", "1", "partial sums written and read, relative to memory", 0.02, 4, 0.7},
    KernelParameter{"epilogue", "us", "store of a 128 x 128 tile", 0.01, 4, 0.6},
    KernelParameter{"power", "1", "stretch of long work at the full matrix rate by the power limit", 0.001, 1,
                    0.2},
    KernelParameter{"quantize", "us", "kernels that quantise the inputs, of no size", 0.001, 20, 9},
    KernelParameter{"quantize_traffic", "1", "their traffic, relative to reading the inputs once from memory",
                    0.01, 8, 3},
};
constexpr std::size_t unquantized = 14;

/// The product's own floor, where kernels that quantise have theirs: it shrinks from generation to
/// generation, theirs does not, so that the two must be told apart.
constexpr double most_floor = 4;

using Specs = std::array<KernelParameter, specs.size()>;
using Generic = std::array<double, specs.size()>;

constexpr Specs with(const Generic& generic) {
  Specs all = specs;
  for (std::size_t i = 0; i < all.size(); ++i) all[i].generic = generic[i];
  return all;
}

constexpr Specs quantizing(Specs all) {
  all[0].high = most_floor;
  return all;
}

// In the order of the list: floor, matrix_efficiency, half_tile, l2_feed | step, memory_efficiency,
// memory_latency, overlap_loss | whole_waves, ramp, split, split_traffic | epilogue, power, quantize, its
// traffic.
constexpr Specs fp8 =
    quantizing(with({2.6, 0.95, 1, 100, 0.035, 0.86, 0.8, 0.3, 0.5, 0.5, 2.2, 0.7, 0.8, 0.2, 9, 3}));
constexpr Specs fp8_block =
    quantizing(with({2.6, 1.0, 20, 50, 0.06, 1.0, 0.4, 0.6, 0.4, 0.2, 12, 4, 1.8, 0.2, 1.5, 2.7}));
constexpr Specs fp4 =
    quantizing(with({2.6, 0.75, 12, 70, 0.1, 0.65, 1.2, 0.2, 0.9, 0.2, 12, 4, 0.7, 0.5, 4, 1.5}));
constexpr Specs int8 =
    quantizing(with({2.6, 1.2, 25, 70, 0.02, 1.0, 0.4, 0.4, 0.6, 1.8, 12, 4, 1.8, 0.02, 4, 0.5}));
constexpr Specs weight_only = with({5, 1.0, 15, 35, 0.04, 0.85, 0.4, 0.1, 0.3, 2, 12, 2, 1.5, 0.02, 0, 0});

}  // namespace

std::span<const KernelParameter> gemm_parameters(Format format) {
  switch (format) {
    case Format::fp8:
      return fp8;
    case Format::fp8_block:
      return fp8_block;
    case Format::nvfp4:
    case Format::w4a8_mxfp4_mxfp8:
      return fp4;
    case Format::sq:
      return int8;
    case Format::int8_wo:
    case Format::int4_wo:
    case Format::w4a16_mxfp4:
      return std::span{weight_only}.first(unquantized);
    case Format::f32:
    case Format::bf16:
    case Format::fp16:
    case Format::fp8_static:
      break;
  }
  return std::span{specs}.first(unquantized);
}

}  // namespace inferometer
