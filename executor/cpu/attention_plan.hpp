#pragma once
#include <cstdint>

#include "executor/cpu/arguments.hpp"

namespace inferometer::cpu {

// How attention is cut into pieces of work. Always inlined, for the reason given in isa/vector.hpp.

/// Query rows of one tile: a row is a token and a head of the group, so that keys are read once for the
/// group. Keys that are scored at a time, and the fewest for which a sequence is split among threads.
inline constexpr std::int64_t tile_rows = 32, tile_keys = 64, split_keys = 256;

/// Rows [row, row + rows) of one key-value head of one sequence, against keys [from, to).
struct AttentionItem {
  std::int64_t sequence = 0, head = 0, row = 0, rows = 0;
  std::int64_t token = 0;  ///< the sequence's first row of q
  std::int64_t from = 0, to = 0;
  std::int64_t split = 0, splits = 1;
};

struct AttentionPlan {
  const AttentionArguments& a;
  std::int64_t group, wanted_splits;

  [[gnu::always_inline]] explicit AttentionPlan(const AttentionArguments& arguments, bool may_split)
      : a(arguments), group(arguments.heads / arguments.cache.kv_heads), wanted_splits(1) {
    // Four pieces a thread even out their lengths.
    const std::int64_t unsplit = items(), enough = 4 * a.threads;
    if (may_split && unsplit > 0 && unsplit < enough) wanted_splits = (enough + unsplit - 1) / unsplit;
  }
  [[gnu::always_inline]] std::int64_t tiles(const SequenceBlocks& s) const {
    return (s.fresh * group + tile_rows - 1) / tile_rows;
  }
  [[gnu::always_inline]] std::int64_t splits(const SequenceBlocks& s) const {
    const std::int64_t total = s.cached + s.fresh;
    const std::int64_t visible = a.window > 0 && a.window < total ? a.window : total;
    const std::int64_t most = visible / split_keys < 1 ? 1 : visible / split_keys;
    return wanted_splits < most ? wanted_splits : most;
  }
  [[gnu::always_inline]] std::int64_t items(const SequenceBlocks& s) const {
    return tiles(s) * splits(s) * a.cache.kv_heads;
  }
  [[gnu::always_inline]] std::int64_t items() const {
    std::int64_t sum = 0;
    for (std::int64_t i = 0; i < a.count; ++i) sum += items(a.sequences[i]);
    return sum;
  }
  /// Keys that row `row` of a sequence sees: [first, last].
  [[gnu::always_inline]] std::int64_t last(const SequenceBlocks& s, std::int64_t row) const {
    return s.cached + row / group;
  }
  [[gnu::always_inline]] std::int64_t first(const SequenceBlocks& s, std::int64_t row) const {
    const std::int64_t start = last(s, row) - a.window + 1;
    return a.window > 0 && start > 0 ? start : 0;
  }
  [[gnu::always_inline]] AttentionItem item(std::int64_t index) const {
    AttentionItem it;
    while (index >= items(a.sequences[it.sequence])) {
      index -= items(a.sequences[it.sequence]);
      it.token += a.sequences[it.sequence++].fresh;
    }
    const SequenceBlocks& s = a.sequences[it.sequence];
    it.splits = splits(s);
    it.split = index % it.splits;
    it.head = index / it.splits / tiles(s);
    it.row = index / it.splits % tiles(s) * tile_rows;
    const std::int64_t left = s.fresh * group - it.row;
    it.rows = left < tile_rows ? left : tile_rows;
    // Pieces start at multiples of 64 keys.
    const std::int64_t low = first(s, it.row), high = last(s, it.row + it.rows - 1) + 1;
    const std::int64_t start = low / tile_keys * tile_keys;
    const std::int64_t tiles_of_keys = (high - start + tile_keys - 1) / tile_keys;
    it.from = start + tiles_of_keys * it.split / it.splits * tile_keys;
    it.to = start + tiles_of_keys * (it.split + 1) / it.splits * tile_keys;
    if (it.from < low) it.from = low;
    if (it.to > high) it.to = high;
    return it;
  }
};

/// Columns of a row of scores that the naive kernel keeps for a sequence, from key `score_start`.
[[gnu::always_inline]] inline std::int64_t score_start(const AttentionArguments& a, const SequenceBlocks& s) {
  const std::int64_t start = s.cached - a.window + 1;
  return a.window > 0 && start > 0 ? start / tile_keys * tile_keys : 0;
}
[[gnu::always_inline]] inline std::int64_t score_columns(const AttentionArguments& a,
                                                         const SequenceBlocks& s) {
  const std::int64_t keys = s.cached + s.fresh - score_start(a, s);
  return (keys + tile_keys - 1) / tile_keys * tile_keys;
}
[[gnu::always_inline]] inline std::int64_t padded(std::int64_t n) { return (n + 15) / 16 * 16; }
/// Floats that one thread works in: queries, scores, outputs, gathered keys and values (at most 4 bytes
/// each).
[[gnu::always_inline]] inline std::int64_t thread_floats(const AttentionArguments& a) {
  const std::int64_t d = a.cache.head_dim, v = padded(a.cache.v_dim);
  return padded(tile_rows * d + tile_rows * tile_keys + tile_rows * v + tile_keys * d + tile_keys * v);
}
/// Floats of one split piece: outputs, maxima and sums.
[[gnu::always_inline]] inline std::int64_t partial_floats(const AttentionArguments& a) {
  return tile_rows * (padded(a.cache.v_dim) + 2);
}

/// Floats of workspace that a call needs (arguments as for the call, workspace aside).
std::int64_t attention_tiled_workspace(const AttentionArguments& a);
std::int64_t attention_naive_workspace(const AttentionArguments& a);

}  // namespace inferometer::cpu
