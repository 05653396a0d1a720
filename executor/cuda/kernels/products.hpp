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
  const std::uint16_t* weight = nullptr;  ///< of the norm
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
/// times its share of the bandwidth of memory (measured on an H200).
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

/// Boxes, 128 bytes wide, of half of streamed_rows() rows of W, since rows of gates and of up lie apart, and
/// of `tokens` rows of x: rows outside x that hardware would fill with zeros are no faster to fetch than
/// others.
struct StreamedMaps {
  CUtensorMap w, x;
};
/// Up to 64 tokens on matrix units: each block streams whole rows of W, so that blocks have nothing to add.
/// requires in % 8 == 0, 16-byte aligned operands, tokens <= most_streamed_tokens
void product_streamed(const Bf16Product& a, const Epilogue& epilogue, const StreamedMaps& maps,
                      const Queue& queue);

/// Many tokens, with the gated activation, which saves writing and reading what it is made of.
/// maps: boxes, 128 bytes wide, of GatedTiles::rows rows of W and of 128 rows of x, or 64 where tokens are
/// shared
/// requires epilogue.gated, in % 8 == 0, 16-byte aligned operands, y not in f32, tiles of gated_tiles()
void product_gated(const Bf16Product& a, const Epilogue& epilogue, const GatedTiles& tiles,
                   const StreamedMaps& maps, const Queue& queue);

}  // namespace inferometer::cuda
