#pragma once
#include <cstdint>

#include "model/dtype.hpp"

namespace inferometer::cpu {

/// One layer's paged cache. Keys are stored [block][kv_head][head_dim][slot], values
/// [block][kv_head][slot][v_dim]: the lanes of a vector then run over the tokens of a block in q kᵀ and over
/// the elements of a value in p v, and neither product adds up across lanes or moves keys first.
/// With v null the values are the first v_dim elements of each key (latent attention).
struct KvCache {
  void* k = nullptr;
  void* v = nullptr;
  DType dtype = DType::f32;
  std::int64_t block_tokens = 16;  ///< multiples of 16 are read in place, others are gathered first
  std::int64_t kv_heads = 0, head_dim = 0, v_dim = 0;

  [[gnu::always_inline]] constexpr std::int64_t k_index(std::int64_t block, std::int64_t head,
                                                        std::int64_t slot, std::int64_t d) const {
    return ((block * kv_heads + head) * head_dim + d) * block_tokens + slot;
  }
  [[gnu::always_inline]] constexpr std::int64_t v_index(std::int64_t block, std::int64_t head,
                                                        std::int64_t slot, std::int64_t d) const {
    return ((block * kv_heads + head) * block_tokens + slot) * v_dim + d;
  }
  /// Elements of one block, of keys and of values.
  constexpr std::int64_t k_block() const { return kv_heads * head_dim * block_tokens; }
  constexpr std::int64_t v_block() const { return v == nullptr ? 0 : kv_heads * v_dim * block_tokens; }
};

}  // namespace inferometer::cpu
