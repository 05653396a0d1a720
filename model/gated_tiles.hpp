#pragma once
#include <array>
#include <cstdint>

#include "model/few_tokens.hpp"

namespace inferometer {

/// How a gated product of many tokens is cut: tiles of 128 tokens by `rows` rows of gates and as many of ups.
/// The two blocks of a pair take tiles that are neighbours in tokens, and share rows of W, or in rows, and
/// share tokens.
struct GatedTiles {
  static constexpr std::int32_t tokens = tile_tokens;
  static constexpr std::int32_t cached_tokens = 2048;  ///< what pairs go through before the next rows of W
  static constexpr std::array<std::int32_t, 4> heights{128, 112, 96, 64};  ///< that `rows` may be
  std::int32_t rows = 0;
  bool share_weights = false;

  /// Pairs lie at each of so many places along tokens and rows.
  constexpr std::int64_t token_places(std::int64_t all) const {
    return (all + tokens - 1) / tokens / (share_weights ? 2 : 1);
  }
  constexpr std::int64_t row_places(std::int64_t out) const {
    const std::int64_t pair = share_weights ? rows : 2 * rows;
    return (out + pair - 1) / pair;
  }
};
/// Tiles whose pairs, dealt out in turns, are done first, the largest of equals. Tokens make pairs where
/// their tiles are even in number: rows of W are then shared, which are no fewer than tokens.
constexpr GatedTiles gated_tiles(std::int64_t tokens, std::int64_t out, std::int64_t processors) {
  const bool even = (tokens + GatedTiles::tokens - 1) / GatedTiles::tokens % 2 == 0;
  GatedTiles best;
  std::int64_t least = 0;
  for (const std::int32_t rows : GatedTiles::heights) {
    const GatedTiles t{.rows = rows, .share_weights = even};
    const std::int64_t pairs = t.token_places(tokens) * t.row_places(out),
                       places = processors < 2 ? 1 : processors / 2;
    const std::int64_t time = (pairs + places - 1) / places * rows;
    if (best.rows != 0 && time >= least) continue;
    best = t;
    least = time;
  }
  return best;
}

}  // namespace inferometer
