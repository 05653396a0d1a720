#pragma once
#include <cstdint>

#include "executor/cpu/kv_layout.hpp"
#include "executor/pass/sequence_blocks.hpp"
#include "model/architecture.hpp"
#include "model/dtype.hpp"

namespace inferometer::cpu {

/// Rows of a buffer, `stride` elements from one to the next.
struct In {
  const void* data = nullptr;
  std::int64_t stride = 0;
};
struct Out {
  void* data = nullptr;
  std::int64_t stride = 0;
};

/// y = x / sqrt(mean(x²) + eps) * w over each of `groups` runs of `width` in a row.   w [width]; y may be x
struct RmsNormArguments {
  In x;
  const void* w = nullptr;
  Out y;
  DType dtype = DType::f32;
  std::int64_t tokens = 0, groups = 1, width = 0;
  float eps = 1e-6F;
};

/// sum = x + residual, y = rms_norm(sum): of the sum as it is stored. sum may be x or residual.
struct AddRmsNormArguments {
  In x, residual;
  const void* w = nullptr;
  Out sum, y;
  DType dtype = DType::f32;
  std::int64_t tokens = 0, width = 0;
  float eps = 1e-6F;
  const std::int32_t* rows = nullptr;  ///< [tokens] of x and residual; null: as they come
};

/// Rotates the first `rotary` elements of each head in place (data may point behind a part that is not
/// rotated). table [positions, rotary]: cosines of rotary / 2 angles, then their sines.   positions [tokens]
struct RopeArguments {
  Out q, k;
  const float* table = nullptr;
  const std::int32_t* positions = nullptr;
  DType dtype = DType::f32;
  std::int64_t tokens = 0, q_heads = 0, k_heads = 0, rotary = 0;
  std::int64_t q_head_stride = 0, k_head_stride = 0;  ///< elements from one head to the next
  bool interleaved = false;
};

/// y = act(gate) * up
struct GatedArguments {
  In gate, up;
  Out y;
  Activation activation = Activation::silu;
  DType dtype = DType::f32;
  std::int64_t tokens = 0, width = 0;
};

/// y = x + r
struct AddArguments {
  In x, r;
  Out y;
  DType dtype = DType::f32;
  std::int64_t tokens = 0, width = 0;
};

/// gather: y[i] = x[rows[i] / divisor] (embedding, rows that need logits, rows sorted by expert)
/// scatter: y[rows[i]] = x[i]
/// rows null: y[i] = x[i]
struct GatherArguments {
  In x;
  const std::int32_t* rows = nullptr;
  Out y;
  std::int64_t count = 0, width = 0, element_bytes = 0;
  std::int64_t divisor = 1;  ///< gather only: choices per token
};

/// q = round(x / scale), scale = max|x| / 127, row by row.   scales [tokens]
struct QuantizeArguments {
  In x;
  std::int8_t* q = nullptr;
  std::int64_t q_stride = 0;
  float* scales = nullptr;
  DType dtype = DType::f32;
  std::int64_t tokens = 0, width = 0;
};

/// sums = x wᵀ in 32-bit integers, exactly.   x [tokens, in]   w [out, in]   sums [tokens, out], all dense
struct IntegerProductArguments {
  const std::int8_t *x = nullptr, *w = nullptr;
  std::int32_t* sums = nullptr;
  std::int64_t tokens = 0, in = 0, out = 0;
};

/// y = sums * row_scales[row] * column_scales[column] (+ bias[column])
struct DequantizeArguments {
  const std::int32_t* sums = nullptr;  ///< [tokens, width], dense
  const float *row_scales = nullptr, *column_scales = nullptr, *bias = nullptr;
  Out y;
  DType dtype = DType::f32;
  std::int64_t tokens = 0, width = 0;
};

/// y[t] = sum over k of weights[t, k] * x[t * top_k + k]
struct CombineArguments {
  In x;
  const float* weights = nullptr;
  Out y;
  DType dtype = DType::f32;
  std::int64_t tokens = 0, top_k = 0, width = 0;
};

/// y = x, between f32 and bf16
struct ConvertArguments {
  In x;
  Out y;
  DType from = DType::bf16, to = DType::f32;
  std::int64_t tokens = 0, width = 0;
};

/// ids[r] = the first index of the largest element.   x [tokens, width], f32
struct ArgmaxArguments {
  In x;
  std::int32_t* ids = nullptr;
  std::int64_t tokens = 0, width = 0;
};

/// Appends keys and values to the cache.   slots [tokens]: block * block_tokens + place in the block
struct KvWriteArguments {
  In k, v;  ///< v unused when values live inside the keys
  KvCache cache;
  const std::int32_t* slots = nullptr;
  DType dtype = DType::f32;
  std::int64_t tokens = 0;
};

/// y = softmax(scale q kᵀ) v over each sequence's cached and fresh tokens, which are all in the cache.
/// q [tokens, heads * head_dim]   y [tokens, heads * v_dim]   causal, grouped queries
struct AttentionArguments {
  In q;
  Out y;
  DType dtype = DType::f32;
  KvCache cache;
  const SequenceBlocks* sequences = nullptr;
  std::int64_t count = 0;  ///< of sequences
  std::int64_t heads = 0;
  float scale = 1.0F;
  std::int64_t window = 0;       ///< 0: none
  const float* sinks = nullptr;  ///< [heads]: one more logit each, without a value
  float* workspace = nullptr;    ///< attention_tiled_workspace or attention_naive_workspace floats
  std::int64_t threads = 1;      ///< among which long sequences are split (tiled only)
};

/// What the rate of a core is measured with; `sum` keeps the work alive.
struct MultiplyAddArguments {
  std::int64_t iterations = 0;
  std::int64_t flops = 0;
  float sum = 0;
};

}  // namespace inferometer::cpu
