#include "roofline/kernels/grouped_gemm.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "roofline/kernels/turns.hpp"

namespace inferometer {
namespace {

enum P : std::size_t { floor_, eff, hm, l2b, soft, ramp, epi, mem, ovl, pw };

constexpr std::array specs{
    KernelParameter{"floor", "us", "a call of no size", 0.3, 20, 3},
    KernelParameter{"matrix_efficiency", "1", "tiles that are fed reach this fraction of the matrix peak",
                    0.1, 1.2, 0.8},
    KernelParameter{"half_tile", "1", "harmonic tile edge at which half of the rate is reached", 0.5, 40, 6},
    KernelParameter{"l2_feed", "B/cycle", "operand bytes a multiprocessor takes from L2 each cycle", 8, 200,
                    45},
    KernelParameter{"whole_waves", "1", "0: tiles are spread over waves evenly, 1: waves are whole", 0.001, 1,
                    0.3},
    KernelParameter{"ramp", "us", "first loads of a tile and its last store", 0.1, 8, 1},
    KernelParameter{"epilogue", "us", "store of a 128 x 128 tile", 0.01, 8, 1},
    KernelParameter{"memory_efficiency", "1", "long streams reach this fraction of the memory bandwidth", 0.3,
                    1.05, 0.85},
    KernelParameter{"overlap_loss", "1",
                    "part of the shorter of compute and memory that the longer does not hide", 0, 1, 0.3},
    KernelParameter{"power", "1", "stretch of long work at the full matrix rate by the power limit", 0.001, 1,
                    0.15},
};

}  // namespace

std::span<const KernelParameter> GroupedGemm::parameters() const { return specs; }

std::string GroupedGemm::label() const {
  return "groups " + std::to_string(groups) + ", rows " + std::to_string(rows) + ", n " + std::to_string(n) +
         ", k " + std::to_string(k);
}

std::vector<double> GroupedGemm::features() const {
  const auto log = [](std::int64_t v) { return std::log2(static_cast<double>(v)); };
  return {log(rows), log(groups), log(n), log(k)};
}

KernelTime GroupedGemm::time(const Chip& c, Values p) const {
  const FormatInfo f = info(format);
  const double G = static_cast<double>(groups), R = static_cast<double>(rows), N = static_cast<double>(n),
               K = static_cast<double>(k);
  const double memory =
      (G * N * K * f.weight_bytes + R * (K * f.input_bytes + 2 * N)) / (c.bandwidth * p[mem]);
  const double work = 2 * R * N * K / c.flops;
  KernelTime best{.total = 1e30};
  for (const double bm : {16., 32., 64., 128.}) {
    const double each = R / G / bm, tiles = G * std::max(1.0, each + 0.5 * (1 - std::exp(-each)));
    for (const double bn : {64., 128., 256.}) {
      const double h = bm * bn / (bm + bn);
      const double multiply = 2 * bm * bn * K / (c.flops / c.sms * p[eff] * h / (h + p[hm]));
      const double feed =
          (bm * f.input_bytes + bn * f.weight_bytes) * K / (p[l2b] * c.generation() * c.clock);
      const double compute = turns(tiles * std::ceil(N / bn), c.sms, p[soft]) *
                                 (std::max(multiply, feed) + p[epi] * bm * bn / 16384) +
                             p[ramp];
      double t = std::max(compute, memory) + p[ovl] * std::min(compute, memory);
      const double u = std::min(1.0, work / t);
      t *= 1 + p[pw] * u * u * t / (t + 100);
      if (p[floor_] + t < best.total) best = {p[floor_] + t, p[floor_], compute, memory};
    }
  }
  return best;
}

}  // namespace inferometer
