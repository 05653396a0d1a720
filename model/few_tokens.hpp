#pragma once
#include <cstdint>

namespace inferometer {

/// Steps of up to so many tokens are multiplied by kernels that stream their weights once; of more, by tiles
/// of both operands. Inputs in bf16 are a multiple of so many.
inline constexpr std::int64_t few_tokens = 64, few_columns = 8;
/// The same where weights are int4, of inputs that are a multiple of so many.
inline constexpr std::int64_t few_int4_tokens = 32, few_int4_columns = 64;
/// For more tokens than so many, int4 weights are unpacked once and multiplied by a library.
inline constexpr std::int64_t packed_int4_tokens = 2048;

/// Kernels of more tokens that take a gated activation along cut them in tiles of so many. Up to one tile
/// reading weights is what takes time; beyond, what a last tile lacks is lost, and a library with tiles of
/// other sizes is faster unless they are nearly full (measured on an H200: at 300 of 384 it is).
inline constexpr std::int32_t tile_tokens = 128;
constexpr bool fills_tiles(std::int64_t tokens) {
  if (tokens <= tile_tokens) return true;
  const std::int64_t places = (tokens + tile_tokens - 1) / tile_tokens * tile_tokens;
  return 100 * tokens >= 85 * places;
}

}  // namespace inferometer
