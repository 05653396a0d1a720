#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "roofline/kernels/chip.hpp"
#include "roofline/kernels/format.hpp"
#include "roofline/kernels/kernel_time.hpp"
#include "roofline/kernels/parameter.hpp"

namespace inferometer {

/// Causal attention of `batch` sequences, each of `q_len` new tokens after kv_len - q_len cached ones, with
/// the kernels before it that rotate Q and K and write the cache.
///   Q [batch, q_len, num_q_heads, head_dim]   K, V [batch, kv_len, num_kv_heads, head_dim]
/// A cache in fp8 is attended in fp8, whatever dtype Q arrives in.
struct ContextAttention {
  static constexpr std::string_view name = "attention_context";
  Format attention = Format::bf16;  ///< of Q as the kernel gets it
  Format kv = Format::bf16;         ///< of the cache
  std::int64_t batch = 1, q_len = 1, kv_len = 1;
  std::int64_t num_q_heads = 1, num_kv_heads = 1, head_dim = 128;
  std::int64_t window = 0;  ///< keys that a query sees, 0: all before it
  bool causal = true;       ///< false: each query sees all kv_len keys
  bool alone = false;       ///< without the pass before it, as benchmarks of the attention itself run it

  std::string variant() const { return std::string{inferometer::name(kv)}; }
  std::vector<std::int64_t> shape() const { return {num_q_heads, num_kv_heads, head_dim, window}; }
  std::string label() const;
  std::vector<double> features() const;
  DType multiplied() const { return info(kv).multiplied; }
  std::span<const KernelParameter> parameters() const;

  /// A floor, the pass that prepares Q, K and V, and the attention itself: thread blocks of a tile of queries
  /// in turns on the multiprocessors, each for as long as its keys take; the best of the tile sizes. Behind a
  /// cache, where few tiles may meet many keys, the keys may be cut too.
  ///
  /// returns  the time with its parts [us]
  /// source   tiles and their order: Dao, "FlashAttention-2", arXiv:2307.08691; exponentials beside products:
  ///          Shah et al., "FlashAttention-3", arXiv:2407.08608, section 3.2; cut keys: Dao et al.,
  ///          "Flash-Decoding for long-context inference", 2023
  KernelTime time(const Chip& chip, Values p) const;
};

}  // namespace inferometer
