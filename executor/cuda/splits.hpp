#pragma once
#include <cstdint>

namespace inferometer::cuda {

/// Into how many parts decode attention splits the keys of each of `pairs` (sequence, key head) pairs, so
/// that `slots` blocks that run at a time are filled: the fewest waves for their length, where a block costs
/// as much as some keys to start and to combine, and reads at least 64.
/// longest: keys of the longest sequence
std::int32_t decode_splits(std::int64_t pairs, std::int64_t longest, std::int64_t slots);

/// No more parts than this, unless there are more pairs.
constexpr std::int64_t most_decode_parts(std::int64_t slots) { return 2 * slots; }

}  // namespace inferometer::cuda
