#pragma once
#include <cuda.h>

#include <cstdint>

#include "executor/cuda/kernels/launch.hpp"
#include "model/gated_tiles.hpp"

namespace inferometer::cuda {

/// y = x Wᵀ.   x [tokens, in], W [out, in] bf16, dense rows of W; y in bf16 or f32 (what an Epilogue changes
/// of this, it says)
struct Bf16Product {
  const std::uint16_t* x = nullptr;
  std::int64_t x_stride = 0;
  const std::uint16_t* w = nullptr;
  void* y = nullptr;
  std::int64_t y_stride = 0;
  bool y_f32 = false;
  std::int32_t tokens = 0, in = 0, out = 0;
};

/// What becomes the row x on the way in, by each block for itself; 16-byte aligned.
struct Prologue {
  enum class Kind : std::uint8_t { none, norm, add_norm, gated } kind = Kind::none;
  const std::uint16_t* second = nullptr;  ///< add_norm: the residual; gated: up (x is the gate)
  const std::uint16_t* weight = nullptr;  ///< of the norm; no kernel may write it
  std::uint16_t* sum = nullptr;           ///< add_norm: where x + residual goes
  float eps = 0;
};
constexpr bool is_norm(Prologue::Kind k) {
  return k == Prologue::Kind::norm || k == Prologue::Kind::add_norm;
}

/// What becomes of a row of sums on the way out. residual [tokens, out]: is added. gated: W is [2 out, in],
/// rows of gates and then rows of up, whose sums are rounded to bf16 as kernels of their own would store
/// them; y = SiLU(gate) * up, in bf16 or, where y_scale [1] is given, in e4m3 of y / y_scale.
struct Epilogue {
  const std::uint16_t* residual = nullptr;
  std::int64_t residual_stride = 0;
  bool gated = false;
  const float* y_scale = nullptr;
};

/// What a product makes of its sums where a residual norm runs in it: sum = x Wᵀ + residual [tokens, out] and
/// y = sum * weight, rows that are still to be scaled; squares [tokens, parts]: what the squares of a row of
/// `sum` add up to, in parts, of which each kernel says how many there are.
struct NormOut {
  const std::uint16_t *residual = nullptr, *weight = nullptr;
  std::int64_t residual_stride = 0;
  std::uint16_t* sum = nullptr;
  std::int64_t sum_stride = 0;
  float* squares = nullptr;  ///< null: no norm
};
/// The product behind it, by the same kernel, whose x is that y: its rows are scaled by 1 / sqrt(mean of the
/// squares + eps).
struct NormIn {
  const float* squares = nullptr;  ///< null: x is as it should be
  std::int32_t parts = 0;          ///< of a row; int4 products know without
  float eps = 0;
};
struct Norms {
  NormOut out;
  NormIn in;
};

/// One token: each warp streams whole rows of W through its own stages of shared memory. The first stages are
/// on their way before the kernel that makes x has ended.
/// gated: SiLU
/// requires in % 8 == 0, one_token_fits(in), 16-byte aligned operands
void product_one_token(const Bf16Product& a, const Prologue& prologue, const Epilogue& epilogue,
                       const Queue& queue);
bool one_token_fits(std::int64_t in);

inline constexpr std::int32_t most_streamed_tokens = 64;
/// Rows of W of a tile: the multiple of 16 up to 128 whose tiles, dealt out to the multiprocessors in turns,
/// are done first. Those of W come from memory; a multiprocessor takes them and x in, here 64 rows, at 2.2
/// times its share of the bandwidth of memory (measured on an H200). Fewer tokens have the same tiles: with
/// narrow ones, for which x goes through the matrix units more often, steps of 8 to 32 tokens take 1 % less
/// by themselves, but reach the power limit (clocks of 0.94 to 0.99), which served runs pay for.
constexpr std::int32_t streamed_rows(std::int64_t rows, std::int64_t processors) {
  std::int32_t best = 0;
  std::int64_t least = 0;
  for (std::int32_t n = 128; n >= 16; n -= 16) {
    const std::int64_t turns = (rows + n * processors - 1) / (n * processors);
    const std::int64_t time = turns * (22 * n > 10 * (n + 64) ? 22 * n : 10 * (n + 64));
    if (best != 0 && time >= least) continue;
    best = n;
    least = time;
  }
  return best;
}
/// Rows of parts of squares are of whole fours.
constexpr std::int32_t row_of_parts(std::int32_t parts) { return (parts + 3) / 4 * 4; }
/// Parts of the squares of a row that product_streamed() leaves: one of each tile.
constexpr std::int32_t streamed_norm_parts(std::int64_t out, std::int64_t processors) {
  const std::int32_t rows = streamed_rows(out, processors);
  return static_cast<std::int32_t>((out + rows - 1) / rows);
}

/// Boxes, 128 bytes wide, of half of a tile's rows of W, since rows of gates and of up lie apart, and of
/// `tokens` rows of x: rows outside x that hardware would fill with zeros are no faster to fetch than others.
struct StreamedMaps {
  CUtensorMap w, x;
};
/// Up to 64 tokens on matrix units: each block streams whole rows of W, so that blocks have nothing to add.
/// requires in % 8 == 0, 16-byte aligned operands, tokens <= most_streamed_tokens; with Norms::out, whose
/// squares have streamed_norm_parts(), an empty epilogue, y not in f32 and rows of whole pairs that lie at
/// multiples of 4 bytes
void product_streamed(const Bf16Product& a, const Epilogue& epilogue, const Norms& norms,
                      const StreamedMaps& maps, const Queue& queue);

/// Many tokens, with the gated activation, which saves writing and reading what it is made of.
/// maps: boxes, 128 bytes wide, of GatedTiles::rows rows of W and of 128 rows of x, or 64 where tokens are
/// shared
/// requires epilogue.gated, in % 8 == 0, 16-byte aligned operands, y not in f32, tiles of gated_tiles()
void product_gated(const Bf16Product& a, const Epilogue& epilogue, const GatedTiles& tiles,
                   const StreamedMaps& maps, const Queue& queue);

}  // namespace inferometer::cuda
