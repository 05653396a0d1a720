#pragma once
#include <cstdint>
#include <initializer_list>

#include "model/few_tokens.hpp"

namespace inferometer {

/// How a gated product of many tokens is cut: tiles of 128 tokens by `rows` rows of gates and as many of ups.
/// The two blocks of a pair take tiles that are neighbours in tokens, and share rows of W, or in rows, and
/// share tokens.
struct GatedTiles {
  static constexpr std::int32_t tokens = tile_tokens;
  static constexpr std::int32_t cached_tokens = 2048;  ///< what pairs go through before the next rows of W
  std::int32_t rows = 0;
  bool share_weights = false;

  constexpr std::int64_t token_pairs(std::int64_t all) const {
    return (all + tokens - 1) / tokens / (share_weights ? 2 : 1);
  }
  constexpr std::int64_t row_pairs(std::int64_t out) const {
    const std::int64_t pair = share_weights ? rows : 2 * rows;
    return (out + pair - 1) / pair;
  }
};
/// Tiles whose pairs, dealt out in turns, are done first, the largest of equals; the shared half of W is the
/// larger one, where tokens make pairs.
constexpr GatedTiles gated_tiles(std::int64_t tokens, std::int64_t out, std::int64_t processors) {
  const bool even = (tokens + GatedTiles::tokens - 1) / GatedTiles::tokens % 2 == 0;
  GatedTiles best;
  std::int64_t least = 0;
  for (const std::int32_t rows : {128, 112, 96, 64}) {
    const GatedTiles t{.rows = rows, .share_weights = even};
    const std::int64_t pairs = t.token_pairs(tokens) * t.row_pairs(out),
                       places = processors < 2 ? 1 : processors / 2;
    const std::int64_t time = (pairs + places - 1) / places * rows;
    if (best.rows != 0 && time >= least) continue;
    best = t;
    least = time;
  }
  return best;
}

}  // namespace inferometer
