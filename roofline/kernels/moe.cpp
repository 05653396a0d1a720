#include "roofline/kernels/moe.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "roofline/kernels/turns.hpp"

namespace inferometer {
namespace {

enum P : std::size_t { floor_, eff, hm, l2b, lone, soft, epi, dbw, dcb, ovl, l2x, pw, fe, pf, ft, et };

constexpr std::array specs{
    KernelParameter{"floor", "us", "a call of no size: all its kernels and the gaps between them", 5, 30, 22},
    KernelParameter{"matrix_efficiency", "1", "tiles that are fed reach this fraction of the matrix peak",
                    0.3, 1.15, 1.0},
    KernelParameter{"half_tile", "1", "harmonic tile edge at which half of the rate is reached", 0.5, 40, 5},
    KernelParameter{"l2_feed", "B/cycle", "operand bytes a multiprocessor takes from L2 each cycle", 8, 200,
                    38},
    KernelParameter{"lone_expert", "1", "rate of products where the rank has one expert, relative to several",
                    0.4, 1, 0.6},
    KernelParameter{"whole_waves", "1", "0: tiles are spread over waves evenly, 1: waves are whole", 0.001, 1,
                    0.25},
    KernelParameter{"epilogue", "us", "store of a tile of 128 x 128; lower tiles than 64 take as long as 64",
                    0.01, 8, 2},
    KernelParameter{"memory_efficiency", "1", "long streams reach this fraction of the memory bandwidth", 0.3,
                    1.05, 1.0},
    KernelParameter{"stream", "B/cycle", "weight bytes a multiprocessor takes from memory each cycle", 1, 100,
                    45},
    KernelParameter{"overlap_loss", "1",
                    "part of the shorter of compute and memory that the longer does not hide", 0, 1, 0.45},
    KernelParameter{"cached_speed", "1", "of weights that stay in cache, relative to memory", 1, 6, 3},
    KernelParameter{"power", "1", "stretch of long work at the full matrix rate by the power limit", 0.001, 1,
                    0.1},
    KernelParameter{"per_expert", "us", "choice and offsets of ten experts, and of ten local ones", 0.0001,
                    0.4, 0.1},
    KernelParameter{"permute", "1", "traffic of permutation and sum, relative to their bytes from memory",
                    0.05, 8, 1.4},
    KernelParameter{"choice", "us", "choice of 8 of 128 experts, for 1000 tokens", 0.0001, 100, 4},
    KernelParameter{"scatter", "us", "permutation of 100 assignments, up to 2000", 0.0001, 1, 0.45},
};

/// One grouped product: x [A, k], W [n, k] of each expert with tokens.
struct Grouped {
  double n, k;
  double cached;  ///< fraction of the weights that stay in cache from call to call
};

struct Parts {
  double total = 0, compute = 0, memory = 0;
};

double weights_time(const Chip& c, const FormatInfo& f, Values p, const Grouped& g, double active) {
  const double bytes = active * g.n * g.k * f.weight_bytes;
  return bytes / c.bandwidth * ((1 - g.cached) / p[dbw] + g.cached / p[l2x]);
}

double rows_time(const Chip& c, const FormatInfo& f, Values p, const Grouped& g, double rows) {
  const double bytes = rows * (g.k * f.input_bytes + 2 * g.n);
  return bytes / (c.bandwidth * p[dbw]) * std::clamp(bytes / c.l2, 0.3, 1.0);
}

/// Tiles of bm x bn in waves: each multiplied, fed from L2, and its weights streamed from memory once for the
/// tiles of an expert that share them.
double tiles_time(const Chip& c, const FormatInfo& f, Values p, const Grouped& g, const RoutedLoad& load,
                  std::size_t i, int bn) {
  const double bm = moe_tile_rows[i], t = load.tiles[i], h = bm * bn / (bm + bn);
  const double w = turns(t * std::ceil(g.n / bn), c.sms, p[soft]);
  const double multiply = 2 * bm * bn * g.k / (c.flops / c.sms * p[eff] * h / (h + p[hm]));
  const double feed = (bm * f.input_bytes + bn * f.weight_bytes) * g.k / (p[l2b] * c.generation() * c.clock);
  const double shared = std::max(1.0, t / std::max(load.active, 1e-3));
  const double stream = bn * f.weight_bytes * g.k / (p[dcb] * c.clock) / shared;
  return w * (std::max({multiply, feed, stream}) + p[epi] * bn * std::max(bm, 64.0) / 16384);
}

Parts product_time(const Chip& c, const FormatInfo& f, Values p, const Grouped& g, const RoutedLoad& load) {
  Parts best{.total = 1e30};
  const double memory = weights_time(c, f, p, g, load.active) + rows_time(c, f, p, g, load.assignments);
  const double work = 2 * load.assignments * g.n * g.k / c.flops;
  for (std::size_t i = 0; i < moe_tile_rows.size(); ++i) {
    for (const int bn : {64, 128, 256}) {
      const double compute = tiles_time(c, f, p, g, load, i, bn);
      double t = std::max(compute, memory) + p[ovl] * std::min(compute, memory);
      const double u = std::min(1.0, work / t);
      t *= 1 + p[pw] * u * u * t / (t + 100);
      if (t < best.total) best = {t, compute, memory};
    }
  }
  return best;
}

}  // namespace

std::span<const KernelParameter> MoeLayer::parameters() const { return specs; }

std::string MoeLayer::variant() const {
  const std::string format_name{inferometer::name(format)};
  return kernel.empty() ? format_name : format_name + "/" + kernel;
}

std::string MoeLayer::label() const {
  return "tokens " + std::to_string(tokens) + ", hidden " + std::to_string(hidden) + ", inter " +
         std::to_string(inter) + ", top " + std::to_string(topk) + " of " + std::to_string(experts) +
         ", tp " + std::to_string(tp) + ", ep " + std::to_string(ep);
}

std::vector<double> MoeLayer::features() const {
  const auto log = [](std::int64_t v) { return std::log2(static_cast<double>(v)); };
  return {log(tokens), log(hidden), log(inter), log(topk), log(experts), log(tp), log(ep), 4 * alpha};
}

KernelTime MoeLayer::time(const Chip& c, Values p) const {
  const FormatInfo f = info(format);
  const RoutedLoad& load = routed(routing());
  const double H = static_cast<double>(hidden), I = static_cast<double>(inter) / static_cast<double>(tp);
  const double T = static_cast<double>(tokens), E = static_cast<double>(experts);
  const double local = std::max(1.0, E / static_cast<double>(ep)), up = gated ? 2 : 1;
  const double all = local * (up + 1) * H * I * f.weight_bytes;
  const double cached = std::clamp(1.5 - all / (0.8 * c.l2), 0.0, 1.0);
  const double base = p[floor_] + p[fe] * (E + local) / 10;
  // Each token's scores are gone through once for each of its choices.
  const double chosen = p[ft] * T / 1000 * E * static_cast<double>(topk) / 1024;
  const double moved = p[pf] * load.assignments * H * (6 + f.input_bytes) / c.bandwidth + chosen;
  const Parts first = product_time(c, f, p, {up * I, H, cached}, load);
  const Parts second = product_time(c, f, p, {H, I, cached}, load);
  const double scattered = p[et] * std::min(load.assignments, 2000.0) / 100;
  // Measured of many ranks with an expert each, not of few; why is not known.
  const double slower = local < 2 && ep > 8 ? 1 / p[lone] : 1;
  return {base + moved + scattered + slower * (first.total + second.total), base,
          first.compute + second.compute, first.memory + second.memory + moved};
}

}  // namespace inferometer
