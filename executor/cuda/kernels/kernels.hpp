#pragma once
#include <cstdint>

#include "executor/cuda/kernels/launch.hpp"

// The kernels of the CUDA backend, as plain functions that enqueue them. Nothing but the standard library and
// the CUDA runtime is included here: device code is compiled by nvcc at C++20. bf16 and e4m3 values are
// passed as their bits.
namespace inferometer::cuda {

using Bf16 = std::uint16_t;
using Fp8 = std::uint8_t;  ///< e4m3

/// Rows of a buffer, `stride` elements from one to the next.
template <class T>
struct Rows2D {
  T* data = nullptr;
  std::int64_t stride = 0;
};
using In = Rows2D<const Bf16>;
using Out = Rows2D<Bf16>;
/// Whether rows can be read 16 bytes at a time.
template <class T>
bool vectors(const Rows2D<T>& rows, std::int64_t width) {
  return reinterpret_cast<std::uintptr_t>(rows.data) % 16 == 0 && rows.stride % 8 == 0 && width % 8 == 0;
}

/// Rows that a kernel writes in e4m3: y / scale, saturating, of y as it would be stored in bf16.
struct QuantizedOut {
  std::uint8_t* data = nullptr;
  std::int64_t stride = 0;
  const float* scale = nullptr;  ///< [1], on the device
};
/// Whether rows can be written 8 bytes at a time.
inline bool vectors(const QuantizedOut& q) {
  return reinterpret_cast<std::uintptr_t>(q.data) % 8 == 0 && q.stride % 8 == 0;
}

/// y = x / sqrt(mean(x²) + eps) * w over each of `groups` runs of `width` in a row.   w [width]; y may be x
struct RmsNormArguments {
  In x;
  const Bf16* w = nullptr;
  Out y;
  std::int64_t tokens = 0, groups = 1, width = 0;
  float eps = 1e-6F;
  QuantizedOut q;  ///< takes what y would, where it is given; groups is 1 then
};
void rms_norm(const RmsNormArguments& a, const Queue& queue);

/// sum = x + residual, y = rms_norm(sum): of the sum as it is stored. sum may be x or residual.
struct AddRmsNormArguments {
  In x, residual;
  const Bf16* w = nullptr;
  Out sum, y;
  std::int64_t tokens = 0, width = 0;
  float eps = 1e-6F;
  QuantizedOut q;                      ///< takes what y would, where it is given
  const std::int32_t* rows = nullptr;  ///< [tokens] of x and residual; null: as they come
};
void add_rms_norm(const AddRmsNormArguments& a, const Queue& queue);

/// y = x + r
struct AddArguments {
  In x, r;
  Out y;
  std::int64_t tokens = 0, width = 0;
};
void add(const AddArguments& a, const Queue& queue);

/// y += b, b [width]; y in bf16 or f32
struct AddBiasArguments {
  void* y = nullptr;
  std::int64_t stride = 0;
  bool f32 = false;
  const float* b = nullptr;
  std::int64_t tokens = 0, width = 0;
};
void add_bias(const AddBiasArguments& a, const Queue& queue);

enum class Gate : std::uint8_t { silu, gelu_tanh, clamped_silu };
/// y = act(gate) * up
struct GatedArguments {
  In gate, up;
  Out y;
  Gate activation = Gate::silu;
  std::int64_t tokens = 0, width = 0;
  QuantizedOut q;  ///< takes what y would, where it is given
};
void gated(const GatedArguments& a, const Queue& queue);

/// y[i] = x[rows[i]]
struct GatherArguments {
  In x;
  const std::int32_t* rows = nullptr;
  Out y;
  std::int64_t count = 0, width = 0;
};
void gather(const GatherArguments& a, const Queue& queue);
/// y[rows[i]] = x[i]
void scatter(const GatherArguments& a, const Queue& queue);

/// ids[r] = the first index of the largest element.   x [tokens, width], f32
struct ArgmaxArguments {
  const float* x = nullptr;
  std::int64_t stride = 0;
  std::int32_t* ids = nullptr;
  std::int64_t tokens = 0, width = 0;
  /// [tokens]; zero before the first call, left zero by each.
  std::uint64_t* largest = nullptr;
  std::uint32_t* ended = nullptr;
};
void argmax(const ArgmaxArguments& a, const Queue& queue);

enum class CacheElement : std::uint8_t {
  bf16,
  fp8  ///< e4m3 with a scale of 1: what is larger than 448 becomes 448
};

/// One layer's paged cache: keys [block][kv_head][slot][head_dim], values [block][kv_head][slot][v_dim].
/// Where a row is a multiple of 64 elements, a head's part of a block is stored as matrix units read it from
/// shared memory without bank conflicts: [row / 64][slot][64], with the 16-byte pieces of each 64 elements
/// permuted: piece ^ slot % 8 of eight in bf16, piece ^ slot / 2 % 4 of four in fp8, so that the same piece
/// of eight slots lies in all banks once. It is then bulk copies away from being multiplied.
struct KvCache {
  void* k = nullptr;
  void* v = nullptr;
  CacheElement element = CacheElement::bf16;
  std::int32_t block_tokens = 16;  ///< a power of two
  std::int32_t kv_heads = 0, head_dim = 0, v_dim = 0;
};

/// One sequence of a step, as the kernels read it from device memory, by one load.
struct alignas(16) Sequence {
  std::int32_t row = 0;  ///< of its first new token in the step's buffers
  std::int32_t fresh = 0, cached = 0;
  std::int32_t table = 0;  ///< where its block table starts
};

/// Rotates the first `rotary` elements of each head in place.
/// table [positions, rotary]: cosines of rotary / 2 angles, then their sines.   positions [tokens]
struct RopeArguments {
  Out q, k;
  const float* table = nullptr;
  const std::int32_t* positions = nullptr;
  std::int64_t tokens = 0, q_heads = 0, k_heads = 0, rotary = 0;
  std::int64_t q_head_stride = 0, k_head_stride = 0;  ///< elements from one head to the next
  bool interleaved = false;
};
void rope(const RopeArguments& a, const Queue& queue);

/// Appends keys and values to the cache.   slots [tokens]: block * block_tokens + place in the block
struct KvWriteArguments {
  In k, v;
  KvCache cache;
  const std::int32_t* slots = nullptr;
  std::int64_t tokens = 0;
};
void kv_write(const KvWriteArguments& a, const Queue& queue);

/// rope and kv_write in one kernel: the rotated keys go to the cache without being read again.
void rope_kv_write(const RopeArguments& rope, const KvWriteArguments& write, const Queue& queue);

/// y = softmax(scale q kᵀ) v over each sequence's cached and fresh tokens, which are all in the cache.
/// q [tokens, heads * head_dim]   y [tokens, heads * v_dim]   causal, grouped queries
struct AttentionArguments {
  In q;
  Out y;
  KvCache cache;
  const Sequence* sequences = nullptr;   ///< on the device
  const std::int32_t* blocks = nullptr;  ///< block tables, on the device
  std::int32_t heads = 0;
  float scale = 1.0F;
  std::int32_t window = 0;       ///< 0: none
  const float* sinks = nullptr;  ///< [heads]: one more logit each, without a value
};

/// Any sizes, no matrix units: a warp per row of queries. What runs where nothing faster does.
/// count: sequences, of which each has at most longest_fresh new tokens
void attention_portable(const AttentionArguments& a, std::int64_t count, std::int64_t longest_fresh,
                        const Queue& queue);

/// Scores written to memory, softmax over them, read again: what tiling saves is measured against it.
/// One sequence at a time.   scores [heads * fresh, cached + fresh] f32
void attention_naive(const AttentionArguments& a, const Sequence& sequence, float* scores,
                     const Queue& queue);

/// What the kernels below are compiled for: the cache then lies as matrix units read it.
constexpr bool attention_tiles(const KvCache& c) {
  return (c.head_dim == 64 || c.head_dim == 128) && c.v_dim == c.head_dim && c.block_tokens >= 8;
}

/// 128 rows (a row is a token and a head of its group) of one sequence, against all keys they see.
inline constexpr std::int64_t prefill_rows = 128;
struct AttentionTile {
  std::int32_t sequence = 0, row = 0;
};
/// Tiled online softmax for many new tokens.   tiles [count], on the device; requires attention_tiles(cache)
void attention_prefill(const AttentionArguments& a, const AttentionTile* tiles, std::int64_t count,
                       const Queue& queue);

/// What a block of decode attention attends to: part `part` of `of` equal ones of a sequence's keys. None of
/// 0 parts.
struct DecodePart {
  Sequence sequence;
  std::int32_t index = 0;  ///< of the sequence
  std::int32_t part = 0, of = 0;
  std::int32_t first = 0;  ///< place of the sequence's first part among all
};
/// Few new tokens a sequence: its keys are split among blocks; the last block to end combines their parts.
struct DecodeSplit {
  std::int32_t splits = 1;            ///< of each sequence's keys, where no parts are listed
  std::int32_t resident = 1;          ///< blocks that a multiprocessor runs at once, if no more than can be
  float* partial = nullptr;           ///< decode_partials() floats; unused where no sequence is split
  std::uint32_t* tickets = nullptr;   ///< [count * kv_heads], zero before the first call, left zero
  const DecodePart* parts = nullptr;  ///< [part_count], on the device: the parts of all sequences, in order
  std::int32_t part_count = 0;
};
constexpr std::int64_t decode_rows = 16;
constexpr std::int64_t decode_partials(std::int64_t count, std::int64_t kv_heads, std::int64_t splits,
                                       std::int64_t v_dim) {
  return count * kv_heads * splits * decode_rows * (v_dim + 2);
}
/// rows: fresh * heads / kv_heads of the sequence with most new tokens
/// requires attention_tiles(cache), rows <= decode_rows, at most most_decode_splits parts of a sequence
void attention_decode(const AttentionArguments& a, std::int64_t count, std::int64_t rows,
                      const DecodeSplit& split, const Queue& queue);

/// Keys and values of one new token a sequence, as the projections leave them: not rotated, not in the cache.
struct FreshArguments {
  In k, v;                       ///< [tokens, kv_heads * head_dim]
  const float* table = nullptr;  ///< of RopeArguments; a new token stands at the position `cached`
  std::int32_t rotary = 0;
  bool interleaved = false;
};
constexpr bool rotates_in_attention(std::int64_t rotary) { return rotary % 8 == 0; }
/// rope, kv_write and attention_decode in one kernel; a.q is not rotated either, and stays as it is.
/// requires attention_tiles(cache), fresh == 1 in all sequences, heads / kv_heads <= decode_rows,
/// rotates_in_attention(rotary), at most most_decode_splits parts of a sequence
void attention_decode_fresh(const AttentionArguments& a, const FreshArguments& fresh, std::int64_t count,
                            const DecodeSplit& split, const Queue& queue);
/// The same for few sequences, where latency counts: blocks that find room beside those of products fetch the
/// keys ahead, eight at a time for each warp, into registers.
/// requires also attention_in_octets(cache, heads); parts are not listed
void attention_octets(const AttentionArguments& a, const FreshArguments& fresh, std::int64_t count,
                      const DecodeSplit& split, const Queue& queue);
inline constexpr std::int64_t most_octet_group = 8;  ///< query heads that share a key head
constexpr bool attention_in_octets(const KvCache& c, std::int64_t heads) {
  return attention_tiles(c) && c.element == CacheElement::bf16 && c.head_dim == 64 &&
         heads <= most_octet_group * c.kv_heads;
}

/// values[i] of rows [0, count) x [0, columns): center + size * uniform(key, place), as seeded weights are
/// defined; place(r, c) = matrix << 48 | row << 24 | column.
struct SeededArguments {
  void* out = nullptr;
  bool f32 = false;
  std::int64_t count = 0, columns = 0;
  std::uint64_t key = 0, matrix = 0;
  std::int64_t source_row = 0, source_stride = 1, source_column = 0;
  bool transposed = false;
  float center = 0, size = 1;
};
void fill_seeded(const SeededArguments& a, const Queue& queue);

}  // namespace inferometer::cuda
