#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "model/decode_splits.hpp"
#include "roofline/kernels/chip.hpp"
#include "roofline/kernels/format.hpp"
#include "roofline/kernels/kernel_time.hpp"
#include "roofline/kernels/parameter.hpp"

namespace inferometer {

/// Attention of one new token of each of `batch` sequences over a paged cache by the kernels that execute
/// steps here, whose waves of thread blocks are known; DecodeAttention is of the kernels of other engines.
///   q [batch, num_q_heads, head_dim]   K, V [blocks, num_kv_heads, block_tokens, head_dim]
struct PagedDecode {
  static constexpr std::string_view name = "attention_paged";
  Format attention = Format::bf16;  ///< of q
  Format kv = Format::bf16;         ///< of the cache
  std::int64_t batch = 1;
  std::int64_t kv_len = 1;   ///< tokens of a sequence on average, the new one among them
  std::int64_t longest = 1;  ///< those of the longest
  std::int64_t num_q_heads = 1, num_kv_heads = 1, head_dim = 128;
  std::int64_t window = 0;  ///< keys that the query sees, 0: all
  bool appends = false;     ///< rotation and the new token's cache entry are part of it

  std::string variant() const;  ///< heads of up to 64 have kernels of their own
  std::vector<std::int64_t> shape() const { return {num_q_heads, num_kv_heads, head_dim, window}; }
  std::string label() const;
  std::vector<double> features() const;
  DType multiplied() const { return info(attention).multiplied; }
  std::span<const KernelParameter> parameters() const;

  /// Thread blocks, one for each key head of a sequence and part of its keys, run in waves; a wave lasts as
  /// long as one of its blocks alone, or as memory takes for all of them, starts of blocks being hidden where
  /// sequences differ. Long sequences have more blocks than short ones; the longest's share memory with the
  /// others and go on alone behind them. Few pairs of heads of 64 that append go to a kernel whose warps take
  /// eight keys a round. Calibrated by groups of up to eight query heads; those of more have a slower kernel.
  ///
  /// returns  the time with its parts [us]
  /// source   parts of the keys: Dao et al., "Flash-Decoding for long-context inference", 2023; how many:
  ///          choose_decode(), which the executor asks too
  KernelTime time(const Chip& chip, Values p) const;

 private:
  DecodeLoad load() const;
};

}  // namespace inferometer
