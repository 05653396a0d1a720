#pragma once
#include <compare>
#include <cstdint>

namespace inferometer::cuda {

/// What decode attention has to read.
struct DecodeLoad {
  std::int64_t pairs = 0;    ///< (sequence, key head) pairs
  std::int64_t longest = 0;  ///< keys of the longest sequence
  std::int64_t mean = 0;     ///< keys of a sequence on average
};

/// Into how many parts decode attention splits the keys of each pair, so that `slots` blocks that run at a
/// time are filled: the fewest waves for their mean length, but no less than the longest sequence's block
/// takes by itself, where a block costs as much as some keys to start and to combine, and the longest
/// sequence's reads at least 64.
/// source  Graham, "Bounds on multiprocessing timing anomalies", 1969: work in all, and the longest piece
std::int32_t decode_splits(const DecodeLoad& load, std::int64_t slots);

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
/// octets   whether all new tokens are appended on the way, and attention_in_octets()
/// slots    of decode_splits()
DecodeChoice choose_decode(const DecodeLoad& load, std::int64_t slots, std::int64_t processors, bool octets);

/// No more parts than this, unless there are more pairs.
constexpr std::int64_t most_decode_parts(std::int64_t slots) { return 8 * slots; }

}  // namespace inferometer::cuda
