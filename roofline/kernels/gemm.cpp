#include "roofline/kernels/gemm.hpp"

#include <algorithm>
#include <cmath>

#include "roofline/kernels/gemm_parameters.hpp"
#include "roofline/kernels/turns.hpp"

namespace inferometer {
namespace {

/// In the order of gemm_parameters().
enum P : std::size_t { floor_, eff, hm, l2b, tstep, dbw, dlat, ovl, soft, lat, sk, skb, epi, pw, q0, qb };

}  // namespace

std::span<const KernelParameter> Gemm::parameters() const { return gemm_parameters(format); }

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
