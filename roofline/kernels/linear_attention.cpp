#include "roofline/kernels/linear_attention.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "roofline/kernels/elementwise.hpp"
#include "roofline/kernels/turns.hpp"

namespace inferometer {
namespace {

namespace conv {
enum P : std::size_t { floor_, block, chunk, more, scalar, tail, mem, hot, overlap };
constexpr std::array specs{
    KernelParameter{"floor", "us", "a call of no size", 0.3, 15, 2.8},
    KernelParameter{"block", "us", "a thread block of no tokens, beside 15 others", 0.05, 10, 0.68},
    KernelParameter{"chunk", "us", "512 tokens of a thread block, beside 15 others", 0.05, 10, 1.1},
    KernelParameter{"more", "us", "blocks with more than one chunk take longer by", 0.001, 10, 0.27},
    KernelParameter{"scalar", "1", "lengths that are no multiple of 8 take longer by", 0.001, 4, 0.28},
    KernelParameter{"tail", "1", "the last blocks, with fewer beside them, relative to full waves", 0.01, 1.5,
                    0.42},
    KernelParameter{"memory_efficiency", "1", "long streams reach this fraction of the memory bandwidth", 0.1,
                    1.05, 0.78},
    KernelParameter{"cache_rate", "1", "of what lies in L2, relative to memory", 0.5, 8, 0.77},
    KernelParameter{"overlap_loss", "1", "part of the shorter of blocks and memory that is not hidden", 0.001,
                    1, 0.14},
};
}  // namespace conv

namespace delta {
enum P : std::size_t { floor_, chain, step, eff, mem, pass, whole, state, hot };
constexpr std::array specs{
    KernelParameter{"floor", "us", "a call of no size, all its kernels", 2, 60, 12},
    KernelParameter{"chain", "us", "64 tokens of a chunk that follow one another", 0.01, 30, 2.3},
    KernelParameter{"step", "us", "the state, from a chunk to the next", 0.05, 20, 0.99},
    KernelParameter{"matrix_efficiency", "1", "products of chunks reach this fraction of the matrix peak",
                    0.01, 1.1, 0.22},
    KernelParameter{"memory_efficiency", "1", "long streams reach this fraction of the memory bandwidth", 0.1,
                    1.05, 0.71},
    KernelParameter{"passes", "1", "traffic between the kernels, relative to keys and values of each head",
                    0.1, 30, 3.9},
    KernelParameter{"whole_waves", "1", "0: work is spread over waves evenly, 1: waves are whole", 0.001, 1,
                    0.4},
    KernelParameter{"state_traffic", "1", "of a sequence's state, relative to reading and writing it", 0.1, 8,
                    0.82},
    KernelParameter{"cache_rate", "1", "of what lies in L2, relative to memory", 0.5, 8, 1.4},
};
}  // namespace delta

KernelTime convolution_time(const LinearAttention& a, const Chip& c, Values p) {
  using namespace conv;
  const double length = static_cast<double>(a.length);
  const double chunks = std::ceil(length / 512);
  // Tokens are loaded by eight where the rows of all channels start at a multiple of that.
  const double one =
      (p[block] + p[chunk] * chunks + (chunks > 1 ? p[more] : 0)) * (a.length % 8 == 0 ? 1 : 1 + p[scalar]);
  constexpr double resident = 16;  // blocks of 128 threads, of 2048 that a multiprocessor holds
  const double compute = one * (static_cast<double>(a.batch * a.channels) / (resident * c.sms) + p[tail]);
  const double bytes = 4 * static_cast<double>(a.batch * a.channels) * length;
  const double cached = cached_fraction(bytes, c.l2);
  const double memory = bytes * (1 - cached + cached / p[hot]) / (c.bandwidth * p[mem]);
  const double total = p[floor_] + std::max(compute, memory) + p[overlap] * std::min(compute, memory);
  return {total, p[floor_], compute, memory};
}

KernelTime delta_rule_time(const LinearAttention& a, const Chip& c, Values p) {
  using namespace delta;
  const double batch = static_cast<double>(a.batch), length = static_cast<double>(a.length);
  const double heads = batch * static_cast<double>(a.value_heads);
  const double dk = static_cast<double>(a.key_dim), dv = static_cast<double>(a.value_dim);
  constexpr double tile = 64;
  const double chunks = std::ceil(length / tile);
  // Per chunk and head: k kᵀ, its inverse times k and v, q kᵀ, that times v; the state's update and reads.
  const double flops = 2 * tile * tile * (3 * dk + 2 * dv) + 3 * 2 * tile * dk * dv;
  const double compute = flops / (c.flops / c.sms * p[eff]) * turns(heads * chunks, c.sms, p[whole]);
  const double bytes =
      2 * length *
      (batch * 2 * static_cast<double>(a.key_heads) * dk + heads * 2 * dv + p[pass] * heads * (dk + dv));
  const double states = 2 * 2 * heads * dk * dv * p[state];
  const double cached = cached_fraction(bytes, c.l2);
  const double memory = (states + bytes * (1 - cached + cached / p[hot])) / (c.bandwidth * p[mem]);
  const double serial = p[chain] * std::min(length, tile) / tile + p[step] * (chunks - 1);
  return {p[floor_] + serial + compute + memory, p[floor_], serial + compute, memory};
}

/// One token: what is read and written of each block's share of the state.
Elementwise of_one_token(const LinearAttention& a) {
  if (a.kernel == LinearKernel::causal_conv1d_update) {
    constexpr std::int64_t block = 64;  // channels
    return {.ops = {},
            .rows = a.batch * ((a.channels + block - 1) / block),
            .row_bytes = block * 2 * (2 * (a.taps - 1) + 2)};
  }
  return {.ops = {},
          .rows = a.batch * a.value_heads,
          .row_bytes = 2 * (2 * a.key_dim * a.value_dim + 2 * a.key_dim + 2 * a.value_dim)};
}

}  // namespace

std::vector<std::int64_t> LinearAttention::shape() const { return {channels, key_heads, value_heads, batch}; }

std::string LinearAttention::label() const {
  const std::string width = channels > 0
                                ? std::to_string(channels) + " channels"
                                : "heads " + std::to_string(key_heads) + "/" + std::to_string(value_heads);
  return "batch " + std::to_string(batch) + ", " + std::to_string(length) + " tokens, " + width;
}

std::vector<double> LinearAttention::features() const {
  const auto log = [](std::int64_t v) { return std::log2(static_cast<double>(v + 1)); };
  return {log(batch - 1), log(length - 1), log(channels), log(key_heads * key_dim),
          log(value_heads * value_dim)};
}

std::span<const KernelParameter> LinearAttention::parameters() const {
  if (kernel == LinearKernel::causal_conv1d_fn) return conv::specs;
  return kernel == LinearKernel::chunk_gated_delta_rule ? std::span<const KernelParameter>{delta::specs}
                                                        : of_one_token(*this).parameters();
}

KernelTime LinearAttention::time(const Chip& c, Values p) const {
  if (kernel == LinearKernel::causal_conv1d_fn) return convolution_time(*this, c, p);
  return kernel == LinearKernel::chunk_gated_delta_rule ? delta_rule_time(*this, c, p)
                                                        : of_one_token(*this).time(c, p);
}

}  // namespace inferometer
