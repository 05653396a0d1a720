#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "roofline/kernels/chip.hpp"
#include "roofline/kernels/format.hpp"
#include "roofline/kernels/kernel_time.hpp"
#include "roofline/kernels/parameter.hpp"

namespace inferometer {

/// Attention of one new token of each of `batch` sequences over kv_len cached ones, itself among them, with
/// the kernels around it that write the cache and join parts.
///   q [batch, num_q_heads, head_dim]   K, V [batch, kv_len, num_kv_heads, head_dim]
struct DecodeAttention {
  static constexpr std::string_view name = "attention_generation";
  Format attention = Format::bf16;  ///< of q
  Format kv = Format::bf16;         ///< of the cache
  std::int64_t batch = 1, kv_len = 1;
  std::int64_t num_q_heads = 1, num_kv_heads = 1, head_dim = 128;
  std::int64_t window = 0;  ///< keys that the query sees, 0: all

  std::string variant() const { return std::string{inferometer::name(kv)}; }
  std::vector<std::int64_t> shape() const { return {num_q_heads, num_kv_heads, head_dim, window}; }
  std::string label() const;
  std::vector<double> features() const;
  DType multiplied() const { return info(attention).multiplied; }
  std::span<const KernelParameter> parameters() const;

  /// A floor, and the longer of thread blocks in turns (one for each head of K and V and part of the keys)
  /// and the cache's way from memory or L2, a part of the shorter; the joining of the parts. What blocks take
  /// depends on their multiprocessors alone: faster memory on the same ones does not make them faster.
  ///
  /// returns  the time with its parts [us]
  /// ignores  contexts so long that their scores do not fit in shared memory
  /// source   parts of the keys: Dao et al., "Flash-Decoding for long-context inference", 2023; their number:
  ///          how FlashAttention-2 and TensorRT-LLM choose them (their sources); the others are read off
  ///          measured times
  KernelTime time(const Chip& chip, Values p) const;
};

}  // namespace inferometer
