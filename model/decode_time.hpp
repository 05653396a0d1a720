#pragma once
#include <cstdint>

namespace inferometer {

/// What the kernel of decode attention over a paged cache has to read.
struct DecodeLoad {
  std::int64_t pairs = 0;      ///< (sequence, key head) pairs
  std::int64_t longest = 0;    ///< keys of the longest sequence
  std::int64_t mean = 0;       ///< keys of a sequence on average
  std::int64_t key_bytes = 0;  ///< of a key and its value
  std::int64_t head_dim = 0;
  std::int64_t group = 1;  ///< query heads of a key head
};

/// Multiprocessors of a device, and how many of that kernel's thread blocks each has room for at once.
struct DecodeSlots {
  std::int64_t processors = 0, resident = 0;
};

/// What a launch of that kernel takes. Times in microseconds.
struct DecodeCosts {
  double start = 0;         ///< start and end of a thread block
  double key = 0;           ///< a key in a block by itself
  double byte = 0;          ///< from memory, which all blocks share, were there any number of them
  double unfilled = 0;      ///< what a multiprocessor's blocks lack to keep their share of it busy, in blocks
  double whole = 0;         ///< of equal sequences; 0: blocks are spread evenly, 1: waves are whole
  double skew = 0;          ///< part of what the longest takes behind the others that shows
  double join = 0;          ///< of the parts of split keys through memory
  double join_part = 0;     ///< each of them
  double join_cluster = 0;  ///< within a cluster of thread blocks
  double partial_traffic = 0;  ///< partial outputs written and read, relative to `byte`
};

/// DecodeCosts::unfilled where so many blocks run at once, by that of one: more with each of them for heads
/// of more than 64, the same for those of 64 (whole steps on an H200, 2026-12-01).
constexpr double unfilled_by(std::int64_t head_dim, std::int64_t resident, double of_one) {
  return head_dim <= 64 ? of_one : of_one * static_cast<double>(resident);
}

/// Splits that a cluster of thread blocks combines without a detour through memory, at most.
inline constexpr std::int64_t most_clustered_splits = 8;
/// Whether it does: clusters must all run at once to be worth waiting for.
constexpr bool in_clusters(std::int64_t pairs, std::int64_t splits, std::int64_t processors) {
  return splits > 1 && splits <= most_clustered_splits && pairs * splits <= processors;
}
/// Whether these clusters are known to run all at once with one block a multiprocessor. Each lies in a part
/// of the device: an H200 runs 30 of four or 15 of eight blocks (cudaOccupancyMaxActiveClusters, driver 580),
/// as seven parts of at least 16 multiprocessors and a small one would; other sizes by division.
constexpr bool clusters_fit(std::int64_t pairs, std::int64_t splits, std::int64_t processors) {
  return splits <= 2 || pairs <= processors / 18 * (16 / splits);
}

/// Parts of a sequence's keys, where those of the longest are split into so many: as many as leave none
/// longer than those of the longest.   requires 0 < keys <= longest
constexpr std::int64_t decode_parts(std::int64_t keys, std::int64_t longest, std::int64_t splits) {
  return (keys * splits + longest - 1) / longest;
}
/// The same on average: lengths are taken to be one, or to fall off exponentially. In clusters all sequences
/// have as many.
double mean_decode_parts(const DecodeLoad& load, std::int64_t splits, std::int64_t processors);

/// Time of the thread blocks of all pairs, each with a part of its keys, of which the longest have `splits`.
/// [us]
/// Blocks come in waves; a wave lasts as long as one of its blocks by itself, or as memory takes for all of
/// them: for each the longer, the fewer run at once, since they ask for less at a time. Blocks that do not
/// end together start behind the reading of others. The longest sequence's blocks begin with the first and
/// get no more of memory than the others while these run; what they have left then takes as long as by
/// itself. Clusters of more than two with two blocks a multiprocessor share some of them while others are
/// idle. Parts are whole tiles of 16 keys. requires load.pairs > 0, splits > 0
double decode_time(const DecodeLoad& load, std::int64_t splits, const DecodeSlots& slots,
                   const DecodeCosts& costs);
/// The same with so many parts of a sequence on average: of layers that see a window of the keys that parts
/// were made for.
double decode_time(const DecodeLoad& load, std::int64_t splits, double parts, const DecodeSlots& slots,
                   const DecodeCosts& costs);

}  // namespace inferometer
