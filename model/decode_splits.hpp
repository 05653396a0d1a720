#pragma once
#include <compare>
#include <cstdint>

#include "model/decode_time.hpp"

namespace inferometer {

/// Thread blocks of decode attention's kernel that a multiprocessor runs at once, at most: of any, and of
/// those in clusters.
constexpr std::int64_t resident_decode_blocks(std::int64_t head_dim) { return head_dim <= 64 ? 4 : 3; }
inline constexpr std::int64_t resident_clustered_blocks = 2;

/// How many of a launch's blocks a multiprocessor should run at once, at most slots.resident. A
/// device hands blocks to the multiprocessors that are free first: with room for more than are needed, some
/// get them all and others none. Where fewer at a time leave less of the last wave empty, one less. Clusters
/// of more than two that do not fit (clusters_fit()) take what room there is. So it was measured;
/// decode_time(), which knows no placement, is asked for the splits alone. Of sequences that differ the
/// number of blocks is mean_decode_parts()'s.   requires slots of at least one
std::int64_t even_resident(const DecodeLoad& load, std::int64_t splits, const DecodeSlots& slots);

/// No sequence's keys have more parts than this.
inline constexpr std::int64_t most_decode_splits = 256;
/// Into how many parts decode attention splits the keys of the longest sequence: those that decode_time()
/// says end soonest, with at least 32 keys. Others have decode_parts() of them.
///
/// source  costs fitted on an H200 in bf16 by groups of four query heads: `start`, `whole`, `skew`, and for
///         heads of 64 `unfilled`, to launches behind a kernel that fills it (2026-11-29), the others to
///         whole steps of 8 to 256 pairs of 128 to 32768 keys, heads of 128 (gpu_decode_choices, 2026-12-01)
std::int32_t decode_splits(const DecodeLoad& load, const DecodeSlots& slots);

/// Whether a cache has octets: one of 16 bits whose heads of 64 are shared by up to eight query heads.
constexpr bool octets_fit(const DecodeLoad& load) {
  return load.head_dim == 64 && load.key_bytes > 2 * load.head_dim && load.group <= 8;
}

/// The kernel that appends a step's new tokens to the cache on the way, and its splits.
enum class FreshKernel : std::uint8_t {
  tiles,  ///< attention_decode_fresh
  octets  ///< attention_octets
};
struct DecodeChoice {
  FreshKernel fresh = FreshKernel::tiles;
  std::int32_t splits = 1;
  std::int32_t resident = 1;  ///< blocks of tiles that a multiprocessor runs at once
  /// Of all sequences together, where they have different numbers of them, with some room; known to who knows
  /// the sequences.
  std::int32_t parts = 0;
  friend auto operator<=>(const DecodeChoice&, const DecodeChoice&) = default;
};

/// Octets for few pairs: where a block a multiprocessor is enough for at least eight splits of each pair.
/// Splits are then the power of two that ends soonest: each of a block's eight warps takes eight keys a
/// round, and what is split is combined at the cost of some rounds. Measured in whole steps on an H200
/// (gpu_decode_choices, 2026-12-01, driver 580): one sequence of 512 keys, 8 key heads of 64, by octets takes
/// 1 us a layer less, of 2048 the same; two sequences 0.3 us less, four 0.4 us more.
///
/// octets  whether all new tokens are appended on the way, by a kernel that octets fit
DecodeChoice choose_decode(const DecodeLoad& load, const DecodeSlots& slots, bool octets);

/// Rounds of octets that a split pair takes one after another.
constexpr std::int64_t octet_rounds(std::int64_t keys, std::int64_t splits) {
  constexpr std::int64_t keys_a_round = 64;
  return (keys + splits * keys_a_round - 1) / (splits * keys_a_round);
}
/// No more parts than this, unless there are more pairs.
constexpr std::int64_t most_decode_parts(std::int64_t processors) { return 32 * processors; }

}  // namespace inferometer
