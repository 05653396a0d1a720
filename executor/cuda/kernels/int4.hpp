#pragma once
#include "executor/cuda/kernels/products.hpp"

namespace inferometer::cuda {

inline constexpr std::int32_t int4_rows = 128, int4_group = 128;

/// 32 rows of one group of 128 inputs: w = (q - zero) * scale, as matrix units read it.
struct alignas(16) Int4Rows {
  /// [row / 16][column / 64][lane][column % 64 / 16]: each a lane's part of 16 x 16 values as mma.m16n8k16
  /// has its first operand, pair i in bits 4 i and 4 i + 16 onwards
  std::uint32_t q[32 * int4_group / 8];
  std::uint16_t scales[32];  ///< f16, in the order of int4_place
  std::uint8_t zeros[16];    ///< two to a byte, in the order of int4_place
};
/// 128 rows of one group.
struct Int4Unit {
  Int4Rows rows[int4_rows / 32];
};
static_assert(sizeof(Int4Unit) == 8192 + 256 + 64);  // what the format takes, and whole 16 bytes

/// A matrix [out, in] is an array of units, those of the same rows one after another, padded with zeros to
/// whole ones. What a kernel reads is one run of memory wherever it begins.
constexpr std::int64_t int4_groups(std::int64_t in) { return (in + int4_group - 1) / int4_group; }
constexpr std::int64_t int4_units(std::int64_t out, std::int64_t in) {
  return (out + int4_rows - 1) / int4_rows * int4_groups(in);
}
/// Where the scale of row `row` of 32 lies: a lane's four rows are neighbours, each row's next is the one
/// eight below.
constexpr std::int32_t int4_place(std::int32_t row) { return row % 8 * 4 + row / 16 * 2 + row % 16 / 8; }
/// Row and column, of 32 rows of a group, of the first of pair `pair` of word `word`.
struct Int4Place {
  std::int32_t row = 0, column = 0;
};
constexpr Int4Place int4_pair(std::int32_t word, std::int32_t pair) {
  const std::int32_t step = word % 4, lane = word / 4 % 32, half = word / 128 % 2, sixteen = word / 256;
  return {sixteen * 16 + lane / 4 + pair % 2 * 8, half * 64 + step * 16 + lane % 4 * 2 + pair / 2 * 8};
}

/// Rounds to the nearest, with the scale and the zero point that a group's least and greatest value give.
/// values [out, in] bf16
void pack_int4(Int4Unit* to, const std::uint16_t* values, std::int64_t out, std::int64_t in,
               const Queue& queue);
/// to [out, in] bf16, dense, 16-byte aligned.   For products of many tokens by a library that knows nothing
/// of groups.
void unpack_int4(std::uint16_t* to, const Int4Unit* w, std::int64_t out, std::int64_t in, const Queue& queue);

/// What several multiprocessors share that compute parts of one tile of product_int4_tiled().
struct Int4Split {
  float* partial = nullptr;        ///< int4_partials() floats
  std::uint32_t* flags = nullptr;  ///< [processors], zero before the first call, left zero
};
inline constexpr std::int32_t most_int4_streamed_tokens = 32, most_int4_tiled_tokens = 2048;
inline constexpr std::int32_t int4_streamed_columns = 64;  ///< what inputs are a multiple of
/// Tokens of a tile, to which product_int4_streamed() and product_int4_tiled() pad them.
constexpr std::int32_t int4_streamed_tile(std::int64_t tokens) {
  return tokens <= 8 ? 8 : tokens <= 16 ? 16 : 32;
}
constexpr std::int32_t int4_tiled_tile(std::int64_t tokens) { return tokens <= 64 ? 64 : 128; }
constexpr std::int64_t int4_partials(std::int64_t processors) {
  return processors * int4_rows * int4_tiled_tile(most_int4_tiled_tokens);
}

/// One token, whose row each block holds whole. Bf16Product::w is not read.
/// requires in % 8 == 0, int4_one_token_fits(in), 16-byte aligned operands; where gated out % 32 == 0
void product_int4_one_token(const Bf16Product& a, const Int4Unit* w, const Prologue& prologue,
                            const Epilogue& epilogue, const Queue& queue);
bool int4_one_token_fits(std::int64_t in);
/// Parts of the squares of a row, of 32 columns each, as tiles divide them: what the last tile lacks has
/// parts too, and those behind are zero.
inline constexpr std::int64_t norm_spare_parts = 16;
constexpr std::int64_t norm_parts(std::int64_t columns) {
  return ((columns + 31) / 32 + norm_spare_parts + 3) / 4 * 4;
}

/// What the kernel behind this one reads first of its weights [stripes][groups] if it is
/// product_int4_streamed(), a hint: groups from the first and from the middle one of each stripe on.
struct NextInt4 {
  const Int4Unit* w = nullptr;
  std::int32_t stripes = 0, groups = 0;
  std::int32_t first = 0;  ///< of each half of a stripe
};
/// Of weights [out, in]: the whole number of groups of all rows that is nearest to what memory has time for
/// from the last weights of one kernel to the first of the next (of 4 to 20 MB a step of 16 tokens of an 8B
/// model took least with 7, on an H200, 2026-12-01, driver 580).
constexpr NextInt4 next_int4(const Int4Unit* w, std::int64_t out, std::int64_t in) {
  constexpr std::int64_t bytes = 7'000'000;
  const std::int64_t groups = int4_groups(in), stripes = int4_units(out, in) / groups,
                     half = (groups + 1) / 2, column = 2 * stripes * std::int64_t{sizeof(Int4Unit)},
                     fit = (bytes + column / 2) / column;
  return {.w = w,
          .stripes = static_cast<std::int32_t>(stripes),
          .groups = static_cast<std::int32_t>(groups),
          .first = static_cast<std::int32_t>(fit < half ? fit : half)};
}
/// Unit i of the 2 * stripes * first of them, each stripe's first before any stripe's second; -1 where a half
/// has none.
constexpr std::int64_t next_unit(const NextInt4& next, std::int32_t i) {
  const std::int32_t stripe = i % next.stripes, step = i / next.stripes;
  const std::int32_t group = step % 2 * ((next.groups + 1) / 2) + step / 2;
  return group < next.groups ? std::int64_t{stripe} * next.groups + group : -1;
}
struct Int4Stream {
  const Int4Unit* w = nullptr;
  NextInt4 next = {};  ///< for the L2 cache, by products of more than 8 tokens, once all of w is asked for
};

/// Up to most_int4_streamed_tokens, where the time is that of reading W. Each group's sum of (q - zero) x is
/// scaled; of tiles of many rows it is that of (128 + q) x less (128 + zero) times that of x, both in f32: of
/// x without signs that costs some 1e-5 of the result, and an infinite x makes NaN.
///
/// x: boxes of 2 runs by int4_streamed_tile(tokens) rows
/// requires in % int4_streamed_columns == 0, 16-byte aligned operands; no y_scale; where gated out % 32 == 0
/// and no Norms::out
void product_int4_streamed(const Bf16Product& a, const Int4Stream& w, const Epilogue& epilogue,
                           const Norms& norms, const CUtensorMap& x, const Queue& queue);
/// More tokens than that, by warpgroups, which multiply (q - zero) * scale rounded to bf16. Any number of
/// tokens; each 128 of them unpack the weights again.
/// x: boxes of 64 columns by int4_tiled_tile(tokens) rows
/// requires in % 8 == 0, 16-byte aligned operands
void product_int4_tiled(const Bf16Product& a, const Int4Unit* w, const CUtensorMap& x, const Int4Split& split,
                        const Queue& queue);

}  // namespace inferometer::cuda
