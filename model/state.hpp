#pragma once
#include <cstdint>

#include "model/dtype.hpp"

namespace inferometer {

/// What one layer keeps of each sequence between steps.
struct StateSpec {
  Bytes fixed_per_sequence{0};
  std::int64_t kv_heads = 0, head_dim = 0,
               v_dim = 0;   ///< v_dim 0: values live inside the keys (latent attention)
  std::int64_t window = 0;  ///< tokens that stay readable; 0: all
  DType dtype = DType::bf16;

  Bytes bytes_per_token() const { return size_of(kv_heads * (head_dim + v_dim), dtype); }
};

}  // namespace inferometer
