#include "roofline/kernels/gated_product.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "model/gated_tiles.hpp"
#include "roofline/kernels/turns.hpp"

namespace inferometer {
namespace {

enum P : std::size_t { floor_, eff, l2b, dbw, ovl, whole, ramp, epi, pw };

constexpr std::array specs{
    KernelParameter{"floor", "us",
                    "a call of no size; below 0 where loads start while the kernel before drains", -4, 10,
                    1.5},
    KernelParameter{"matrix_efficiency", "1", "tiles that are fed reach this fraction of the matrix peak",
                    0.4, 1.3, 0.9},
    KernelParameter{"l2_feed", "B/cycle", "operand bytes a multiprocessor takes from L2 each cycle", 15, 200,
                    70},
    KernelParameter{"memory_efficiency", "1", "long streams reach this fraction of the memory bandwidth", 0.5,
                    1.05, 0.9},
    KernelParameter{"overlap_loss", "1",
                    "part of the shorter of compute and memory that the longer does not hide", 0, 0.6, 0.2},
    KernelParameter{"whole_waves", "1", "0: work is spread over waves evenly, 1: waves are whole", 0.001, 1,
                    0.8},
    KernelParameter{"ramp", "us", "first loads and last stores of a block", 0.1, 10, 2},
    KernelParameter{"epilogue", "us", "activation and store of 128 x 128 outputs", 0.01, 4, 0.8},
    KernelParameter{"power", "1", "stretch of long work at the full matrix rate by the power limit", 0.001, 1,
                    0.2},
};

}  // namespace

std::span<const KernelParameter> GatedProduct::parameters() const { return specs; }

std::string GatedProduct::label() const {
  return "m " + std::to_string(m) + ", n " + std::to_string(n) + ", k " + std::to_string(k);
}

std::vector<double> GatedProduct::features() const {
  return {std::log2(static_cast<double>(m)), std::log2(static_cast<double>(n)),
          std::log2(static_cast<double>(k))};
}

KernelTime GatedProduct::time(const Chip& c, Values p) const {
  const FormatInfo f = info(format);
  const double M = static_cast<double>(m), N = static_cast<double>(n), K = static_cast<double>(k);
  const GatedTiles tiles = gated_tiles(m, n, static_cast<std::int64_t>(c.sms));
  const double rows = 2 * tiles.rows, tokens = GatedTiles::tokens;  // of a tile, gates and ups
  const double pairs = static_cast<double>(tiles.token_places(m) * tiles.row_places(n));
  const double of_w = rows * K * f.weight_bytes, of_x = tokens * K * f.input_bytes;
  const double multiply = 2 * tokens * rows * K / (c.flops / c.sms * p[eff]);
  const double fed =
      (of_w + of_x - (tiles.share_weights ? of_w : of_x) / 2) / (p[l2b] * c.generation() * c.clock);
  const double tile = std::max(multiply, fed) + p[epi] * tiles.rows / 128;
  const double compute = turns(pairs, std::max(1.0, std::floor(c.sms / 2)), p[whole]) * tile + p[ramp];
  const double W = 2 * N * K * f.weight_bytes, X = M * K * f.input_bytes, Y = 2 * M * N;
  const double cold = std::clamp((X + Y) / c.l2 - 0.3, 0.0, 1.0);
  const double passes = std::ceil(M / GatedTiles::cached_tokens);
  const double memory = (passes * W + cold * X + (Y < c.l2 / 2 ? 0.3 : 1.0) * Y) / (c.bandwidth * p[dbw]);
  double t = std::max(compute, memory) + p[ovl] * std::min(compute, memory);
  const double busy = std::min(1.0, 4 * M * N * K / c.flops / t);
  t *= 1 + p[pw] * busy * busy * t / (t + 100);
  return {std::max(0.3, p[floor_] + t), std::max(0.0, p[floor_]), compute, memory};
}

}  // namespace inferometer
