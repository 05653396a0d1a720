#pragma once
#include "executor/cuda/kernels/products.hpp"

namespace inferometer::cuda {

/// A matrix [out, in] of 4-bit values lies as matrix units read it: in units of 128 rows by one group of 128
/// inputs, those of the same rows one after another, padded with zeros to whole units. What a kernel reads
/// is then one run of memory wherever it begins.
inline constexpr std::int32_t int4_rows = 128, int4_group = 128;
/// Bytes of a unit.
inline constexpr std::int32_t int4_q_bytes = int4_rows * int4_group / 2, int4_scale_bytes = int4_rows * 2,
                              int4_zero_bytes = int4_rows / 2;
constexpr std::int64_t int4_groups(std::int64_t in) { return (in + int4_group - 1) / int4_group; }
constexpr std::int64_t int4_units(std::int64_t out, std::int64_t in) {
  return (out + int4_rows - 1) / int4_rows * int4_groups(in);
}

/// w = (q - zero) * scale
/// q       [units][row / 32][row % 32 / 16][column / 64][lane][column % 64 / 16] words, each a lane's part of
///         16 x 16 values as mma.m16n8k16 has its first operand: pair i in bits 4 i and 4 i + 16 onwards
/// scales  [units][128] f16        zeros [units][128], two to a byte; both in the order of int4_place
struct Int4Weights {
  std::uint32_t* q = nullptr;
  std::uint16_t* scales = nullptr;
  std::uint8_t* zeros = nullptr;
};
/// Matrix `matrix` of several [out, in].
constexpr Int4Weights int4_matrix(const Int4Weights& w, std::int64_t matrix, std::int64_t out,
                                  std::int64_t in) {
  const std::int64_t units = matrix * int4_units(out, in);
  return {w.q + units * (int4_q_bytes / 4), w.scales + units * int4_rows, w.zeros + units * int4_zero_bytes};
}
/// Where the scale of row `row` of 128 lies: a lane's four rows of 32 are neighbours, each row's next is the
/// one eight below.
constexpr std::int32_t int4_place(std::int32_t row) {
  return row / 32 * 32 + row % 8 * 4 + row % 32 / 16 * 2 + row % 16 / 8;
}
/// Row and column within a unit of the first of pair `pair` of word `word`.
struct Int4Place {
  std::int32_t row = 0, column = 0;
};
constexpr Int4Place int4_pair(std::int32_t word, std::int32_t pair) {
  const std::int32_t step = word % 4, lane = word / 4 % 32, half = word / 128 % 2, sixteen = word / 256;
  return {sixteen * 16 + lane / 4 + pair % 2 * 8, half * 64 + step * 16 + lane % 4 * 2 + pair / 2 * 8};
}

/// Rounds to the nearest, with the scale and the zero point that a group's least and greatest value give.
/// values [out, in] bf16
void pack_int4(const Int4Weights& to, const std::uint16_t* values, std::int64_t out, std::int64_t in,
               const Queue& queue);
/// to [out, in] bf16, dense.   For products of many tokens by a library that knows nothing of groups.
void unpack_int4(std::uint16_t* to, const Int4Weights& w, std::int64_t out, std::int64_t in,
                 const Queue& queue);

/// What several multiprocessors share that compute parts of one tile.
struct Int4Split {
  float* partial = nullptr;        ///< int4_partials() floats
  std::uint32_t* flags = nullptr;  ///< [processors], zero before the first call, left zero
};
inline constexpr std::int32_t most_int4_streamed_tokens = 32, most_int4_tiled_tokens = 512;
/// Tokens of a tile, to which the kernels below pad them.
constexpr std::int32_t int4_token_tile(std::int64_t tokens) {
  return tokens <= 64 ? token_tile(tokens) : 128;
}
constexpr std::int64_t int4_partials(std::int64_t processors) {
  return processors * int4_rows * int4_token_tile(most_int4_tiled_tokens);
}

/// One token, whose row each block holds whole. FewTokensProduct::w is not read.
/// requires in % 8 == 0, int4_one_token_fits(in), 16-byte aligned operands
void product_int4_one_token(const FewTokensProduct& a, const Int4Weights& w, const Int4Split& split,
                            const Prologue& prologue, const Queue& queue);
bool int4_one_token_fits(std::int64_t in);
/// Up to most_int4_streamed_tokens, where the time is that of reading W: (q - zero) x is summed up exactly,
/// and each group's sum scaled.
/// x: boxes of 64 columns by int4_token_tile(tokens) rows
/// requires in % 8 == 0, 16-byte aligned operands
void product_int4_streamed(const FewTokensProduct& a, const Int4Weights& w, const CUtensorMap& x,
                           const Int4Split& split, const Queue& queue);
/// More tokens than that, by warpgroups, which multiply (q - zero) * scale rounded to bf16. Any number of
/// tokens; each 128 of them unpack the weights again.   Else as above.
void product_int4_tiled(const FewTokensProduct& a, const Int4Weights& w, const CUtensorMap& x,
                        const Int4Split& split, const Queue& queue);

}  // namespace inferometer::cuda
