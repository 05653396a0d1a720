#pragma once
#include <compare>
#include <cstdint>

namespace inferometer {

/// What the kernel of decode attention over a paged cache has to read.
struct DecodeLoad {
  std::int64_t pairs = 0;      ///< (sequence, key head) pairs
  std::int64_t longest = 0;    ///< keys of the longest sequence
  std::int64_t mean = 0;       ///< keys of a sequence on average
  std::int64_t key_bytes = 0;  ///< of a key and its value
};

/// Thread blocks of that kernel that a multiprocessor runs at once: its registers allow four where heads are
/// of 64, unless it appends new tokens to a cache of 16 bits, and otherwise three.
constexpr std::int64_t resident_decode_blocks(std::int64_t head_dim, std::int64_t key_bytes, bool appends) {
  const bool wide = key_bytes > 2 * head_dim;
  return head_dim <= 64 && !(appends && wide) ? 4 : 3;
}

/// Into how many parts decode attention splits the keys of each pair: those that end soonest. Blocks come in
/// waves that last as long as a block does by itself, or as memory takes for all of them. The longest
/// sequence's block, which begins with the first, gets no more of memory than the others while these run, and
/// what it has left then takes as long as by itself. A block takes as long to start as for some keys, what is
/// split is joined at the cost of some more, and the longest sequence's part reads at least 64.
///
/// source  the costs in keys were measured on an H200
std::int32_t decode_splits(const DecodeLoad& load, std::int64_t processors, std::int64_t resident);

/// Whether a cache has octets: one of 16 bits whose key heads are shared by up to eight query heads.
constexpr bool octets_fit(std::int64_t head_dim, std::int64_t key_bytes, std::int64_t heads,
                          std::int64_t kv_heads) {
  return key_bytes > 2 * head_dim && heads <= 8 * kv_heads;
}

/// The kernel that appends a step's new tokens to the cache on the way, and its splits.
enum class FreshKernel : std::uint8_t {
  tiles,  ///< attention_decode_fresh
  octets  ///< attention_octets
};
struct DecodeChoice {
  FreshKernel fresh = FreshKernel::tiles;
  std::int32_t splits = 1;
  friend auto operator<=>(const DecodeChoice&, const DecodeChoice&) = default;
};

/// Octets for few pairs: where a block a multiprocessor is enough for at least four splits of each pair.
/// Splits are then the power of two that ends soonest: each of a block's eight warps takes eight keys a
/// round, and what is split is combined at the cost of some rounds.
///
/// octets    whether all new tokens are appended on the way, by a kernel that octets fit
/// resident  of decode_splits()
DecodeChoice choose_decode(const DecodeLoad& load, std::int64_t processors, std::int64_t resident,
                           bool octets);

/// Rounds of octets that a split pair takes one after another.
constexpr std::int64_t octet_rounds(std::int64_t keys, std::int64_t splits) {
  constexpr std::int64_t keys_a_round = 64;
  return (keys + splits * keys_a_round - 1) / (splits * keys_a_round);
}
/// Splits that a cluster of thread blocks combines without a detour through memory, at most.
inline constexpr std::int64_t most_clustered_splits = 8;
/// No more parts than this, unless there are more pairs.
constexpr std::int64_t most_decode_parts(std::int64_t processors) { return 32 * processors; }

}  // namespace inferometer
