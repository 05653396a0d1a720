#include "roofline/kernels/context_attention.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "roofline/kernels/turns.hpp"

namespace inferometer {
namespace {

enum P : std::size_t {
  floor_,
  eff,
  half,
  score,
  ramp,
  whole,
  uneven,
  h64,
  h256,
  pe,
  pl,
  token,
  prep,
  pw,
  edge,
  win
};

constexpr std::array specs{
    KernelParameter{"floor", "us", "a call of no size", 1, 30, 13},
    KernelParameter{"matrix_efficiency", "1", "long tiles reach this fraction of the matrix peak", 0.1, 1.6,
                    0.9},
    KernelParameter{"half_rows", "1", "queries of a tile at which half of the rate is reached", 0.5, 200, 13},
    KernelParameter{"score", "cycle", "exponential and sums of one score of a multiprocessor", 0.005, 0.6,
                    0.08},
    KernelParameter{"ramp", "us", "start and end of a tile of queries", 0.1, 12, 2.5},
    KernelParameter{"whole_waves", "1", "0: tiles are spread evenly, 1: waves are whole", 0.001, 1, 0.75},
    KernelParameter{"imbalance", "1", "wait for the tile with the most keys, relative to its excess", 0, 1.5,
                    0.3},
    KernelParameter{"small_head", "1", "time per product at heads of 64, relative to 128", 1, 3, 1.1},
    KernelParameter{"large_head", "1", "time per product at heads above 128, relative to 128", 1, 3, 1.2},
    KernelParameter{"memory_efficiency", "1", "preparation reaches this fraction of the memory bandwidth",
                    0.1, 1.05, 0.75},
    KernelParameter{"cache_speed", "1", "preparation out of L2, relative to the memory bandwidth", 0.2, 8,
                    1.2},
    KernelParameter{"row", "us", "preparation of one head of one token by a multiprocessor, times 100", 0.001,
                    20, 2.2},
    KernelParameter{"preparation", "us", "preparation of 200 tokens and more, beside its traffic", 0.01, 20,
                    2},
    KernelParameter{"power", "1", "stretch of long work by the power limit", 0.001, 1, 0.0017},
    KernelParameter{"window_edge", "1", "keys beyond the window that a tile visits, in tiles of queries",
                    0.01, 3, 1.3},
    KernelParameter{"window_cost", "1", "time per key under a window, relative to none", 0.5, 2.5, 1.5},
};

/// Integral of min(x, cap) from 0 to x.
double capped_area(double x, double cap) { return x <= cap ? x * x / 2 : cap * (x - cap / 2); }

/// Keys that a tile of `rows` queries goes through: in the mean, and at most.
struct Keys {
  double mean = 0, most = 0;
};

Keys keys_of(const ContextAttention& a, double rows, double edge) {
  const double q = static_cast<double>(a.q_len), all = static_cast<double>(a.kv_len);
  if (!a.causal) return {all, all};
  const double cap = a.window > 0 ? static_cast<double>(a.window) + edge * rows : 1e30;
  const double half_tile = std::min(rows, q) / 2;
  const double first = std::max(0.0, all - q) + half_tile;
  const double mean = (capped_area(first + q, cap) - capped_area(first, cap)) / q;
  constexpr double tile = 64;
  const double most = std::max(tile, std::min(all, cap));
  return {std::clamp(mean, tile, most), most};
}

/// Outputs of the parts of keys, written and read in single precision.
double joined_bytes(const ContextAttention& a, double parts) {
  return 2 * 4 * parts * static_cast<double>(a.batch * a.q_len * a.num_q_heads * a.head_dim);
}

/// Time of the attention itself with tiles of `rows` queries.
/// parts  that the keys are cut into, each a thread block
double tiles_time(const ContextAttention& a, const Chip& c, Values p, double rows, double parts) {
  const double hd = static_cast<double>(a.head_dim);
  const double ctas =
      static_cast<double>(a.batch * a.num_q_heads) * std::ceil(static_cast<double>(a.q_len) / rows) * parts;
  const double head = a.head_dim < 128 ? p[h64] : a.head_dim > 128 ? p[h256] : 1.0;
  const double rate = c.flops / c.sms * p[eff] * rows / (rows + p[half]);
  const double cost = a.window > 0 && a.window < a.kv_len ? p[win] : 1.0;
  const double key = cost * rows * (4 * hd * head / rate + p[score] / c.clock);
  Keys k = keys_of(a, rows, p[edge]);
  k = {k.mean / parts, k.most / parts};
  const double spread = turns(ctas, c.sms, p[whole]) * (p[ramp] + k.mean * key);
  const double last = p[uneven] * (k.most - k.mean) * key * std::min(1.0, ctas / c.sms);
  const double t = std::max(spread, p[ramp] + k.most * key) + last;
  const double joined = parts > 1 ? p[ramp] + joined_bytes(a, parts) / c.bandwidth : 0;
  return t * (1 + p[pw] * t / (t + 300)) + joined;
}

/// The pass before the attention: reads Q, K and V in bf16, writes Q as it is attended, K and V as cached.
double preparation_time(const ContextAttention& a, const Chip& c, Values p) {
  const double tokens = static_cast<double>(a.batch * a.q_len), hd = static_cast<double>(a.head_dim);
  const double q = static_cast<double>(a.num_q_heads), kv = 2 * static_cast<double>(a.num_kv_heads);
  const double q_bytes = info(a.kv).input_bytes < 2 ? info(a.kv).input_bytes : info(a.attention).input_bytes;
  const double bytes = tokens * hd * ((q + kv) * 2 + q * q_bytes + kv * info(a.kv).input_bytes);
  const double cached = cached_fraction(bytes, c.l2);
  return bytes / c.bandwidth * ((1 - cached) / p[pe] + cached / p[pl]) +
         p[token] * tokens * q / (100 * c.sms) + p[prep] * std::min(1.0, tokens / 200);
}

}  // namespace

std::span<const KernelParameter> ContextAttention::parameters() const { return specs; }

std::string ContextAttention::label() const {
  return "batch " + std::to_string(batch) + ", " + std::to_string(q_len) + " of " + std::to_string(kv_len) +
         " tokens, heads " + std::to_string(num_q_heads) + "/" + std::to_string(num_kv_heads) + " of " +
         std::to_string(head_dim) + ", window " + std::to_string(window);
}

std::vector<double> ContextAttention::features() const {
  const auto log = [](std::int64_t v) { return std::log2(static_cast<double>(v)); };
  const bool windowed = window > 0 && window < kv_len;
  return {log(batch),
          log(q_len),
          log(kv_len),
          log(num_q_heads),
          log(num_kv_heads) / 2,
          2 * log(head_dim),
          windowed ? 2.0 : 0.0,
          info(attention).input_bytes};
}

KernelTime ContextAttention::time(const Chip& c, Values p) const {
  const double tokens = static_cast<double>(batch * q_len), hd = static_cast<double>(head_dim);
  double compute = 1e30;
  for (const double rows : {64.0, 128.0, 256.0}) {
    for (const double parts : {1.0, 2.0, 3.0, 4.0, 8.0}) {
      if (parts == 1 || kv_len > q_len) compute = std::min(compute, tiles_time(*this, c, p, rows, parts));
    }
  }
  const double prepared = alone ? 0.0 : preparation_time(*this, c, p);
  const double cache = 2 * static_cast<double>(batch * kv_len * num_kv_heads) * hd * info(kv).input_bytes;
  const double streamed = (4 * tokens * static_cast<double>(num_q_heads) * hd + cache) / c.bandwidth;
  return {p[floor_] + prepared + std::max(compute, streamed), p[floor_], compute, prepared + streamed};
}

}  // namespace inferometer
