#include "roofline/kernels/gemm.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "roofline/kernels/turns.hpp"

namespace inferometer {
namespace {

enum P : std::size_t { floor_, eff, hm, l2b, tstep, dbw, dlat, ovl, soft, lat, sk, skb, epi, pw, q0, qb };

constexpr std::array specs{
    KernelParameter{"floor", "us", "a call of no size", 0.3, 20, 2.6},
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
    KernelParameter{"quantize", "us", "kernels that quantise the inputs, of no size", 0.001, 20, 1},
    KernelParameter{"quantize_traffic", "1", "their traffic, relative to reading the inputs once from memory",
                    0.01, 8, 1},
};

}  // namespace

std::span<const KernelParameter> Gemm::parameters() const {
  return info(format).quantizes_inputs ? std::span{specs} : std::span{specs}.first(14);
}

std::string Gemm::label() const {
  return "m " + std::to_string(m) + ", n " + std::to_string(n) + ", k " + std::to_string(k);
}

std::vector<double> Gemm::features() const {
  return {std::log2(static_cast<double>(m)), std::log2(static_cast<double>(n)),
          std::log2(static_cast<double>(k))};
}

KernelTime Gemm::time(const Chip& c, Values p) const {
  const FormatInfo f = info(format);
  const double M = static_cast<double>(m), N = static_cast<double>(n), K = static_cast<double>(k);
  const double W = N * K * f.weight_bytes, X = M * K * f.input_bytes, Y = 2 * M * N;
  const double r = c.generation();
  const double l2_feed = p[l2b] * r, floor_time = p[floor_] * std::pow(r, -0.45);
  const double work = 2 * M * N * K / c.flops;
  const double per_sm = c.flops / c.sms;
  const double bw = c.bandwidth * p[dbw];
  // Weights that were touched one to five calls ago.
  const double ramp_y = Y < c.l2 / 2 ? 0.3 : 1.0;
  KernelTime best;
  best.total = 1e30;
  for (const int bm : {16, 32, 64, 128, 256}) {
    if (bm > 16 && bm >= 2 * M && bm > 32) continue;
    for (const int bn : {16, 32, 64, 128, 256}) {
      if (std::max(bm, bn) < 64 || bm * bn > (r > 1.5 ? 65536 : 32768)) continue;
      const double tiles = std::ceil(M / bm) * std::ceil(N / bn);
      const double g = static_cast<double>(bm) * bn / (bm + bn);
      for (const int s : {1, 2, 3, 4, 6, 8, 16}) {
        if (s > 1 && (K / s < 256 || tiles * s > 4 * c.sms)) break;
        const double ks = 64 * std::ceil(K / (64.0 * s));
        const double ctas = tiles * s, active = std::min(ctas, c.sms);
        const double w = turns(ctas, c.sms, p[soft]);
        const double tc = 2.0 * bm * bn * ks / (per_sm * p[eff] * g / (g + p[hm]));
        const double feed = (bm * f.input_bytes + bn * f.weight_bytes) * ks;
        const double sm = feed / (l2_feed * c.clock);
        const double step = p[tstep] * ks / 64;
        const double t_c = w * (std::max({tc, sm, step}) + p[epi] * bm * bn / 16384.0) + p[lat];
        const double band = std::sqrt(c.sms * bm * bn);
        const double again =
            std::min(8 * (W + X), W * std::max(M / band - 1, 0.0) * std::clamp(W / c.l2 - 0.5, 0.0, 1.0) +
                                      X * std::max(N / band - 1, 0.0) * std::clamp(X / c.l2 - 0.5, 0.0, 1.0));
        const double x_cold = std::clamp((X + Y) / c.l2 - 0.3, 0.0, 1.0);
        const double reach = std::min(bw, active * 65536 / p[dlat]);
        double t_d = (X * x_cold + W + 0.3 * again) / reach + ramp_y * Y / bw;
        if (s > 1) t_d += p[skb] * 4 * s * M * N / bw;
        double t = std::max(t_c, t_d) + p[ovl] * std::min(t_c, t_d) + (s > 1 ? p[sk] : 0.0);
        const double u = std::min(1.0, work / t);
        t *= 1 + p[pw] * u * u * t / (t + 100);
        if (floor_time + t < best.total) best = {floor_time + t, floor_time, t_c, t_d};
      }
    }
  }
  if (f.quantizes_inputs) {
    const double q = p[q0] + p[qb] * M * K * (2 + f.input_bytes) / bw;
    best.total += q;
    best.floor += p[q0];
    best.memory += q - p[q0];
  }
  return best;
}

}  // namespace inferometer
