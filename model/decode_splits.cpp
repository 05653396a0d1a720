#include "model/decode_splits.hpp"

#include <algorithm>
#include <cmath>

namespace inferometer {

std::int64_t even_resident(const DecodeLoad& load, std::int64_t splits, const DecodeSlots& slots) {
  const auto blocks =
      std::llround(static_cast<double>(load.pairs) * mean_decode_parts(load, splits, slots.processors));
  const std::int64_t full = slots.processors * slots.resident;
  if (splits > 2 && in_clusters(load.pairs, splits, slots.processors))
    return clusters_fit(load.pairs, splits, slots.processors)
               ? 1
               : std::min(resident_clustered_blocks, slots.resident);
  if (blocks <= full) return std::max<std::int64_t>(1, (blocks + slots.processors - 1) / slots.processors);
  if (blocks >= 2 * full || slots.resident == 1) return slots.resident;
  const auto empty = [&](std::int64_t resident) {
    const double waves = static_cast<double>(blocks) / static_cast<double>(slots.processors * resident);
    return std::ceil(waves) - waves;
  };
  return empty(slots.resident - 1) < empty(slots.resident) ? slots.resident - 1 : slots.resident;
}

std::int32_t decode_splits(const DecodeLoad& load, const DecodeSlots& slots) {
  if (load.pairs == 0) return 1;
  constexpr std::int64_t fewest_keys = 32;
  const auto costs = [&](std::int64_t resident) -> DecodeCosts {
    return {.start = 3.7,
            .key = 0.0109,
            .byte = 1 / 5.0e6,
            .unfilled = unfilled_by(load.head_dim, resident, load.head_dim <= 64 ? 0.5 : 0.22),
            .whole = 0.51,
            .skew = 0.73,
            .join = 1.8,
            .join_part = 0.05,
            .join_cluster = 0.6,
            .partial_traffic = 3};
  };
  const std::int64_t most = std::max<std::int64_t>(
      1, std::min({load.longest / fewest_keys, most_decode_parts(slots.processors) / load.pairs,
                   most_decode_splits}));
  std::int64_t best = 1;
  double least = 0;
  // Among many, one more makes no difference.
  for (std::int64_t splits = 1; splits <= most; splits += 1 + splits / 16) {
    const DecodeSlots used{slots.processors, even_resident(load, splits, slots)};
    const double time = decode_time(load, splits, used, costs(used.resident));
    if (splits == 1 || time < least) {
      least = time;
      best = splits;
    }
  }
  return static_cast<std::int32_t>(best);
}

namespace {

/// Rounds cost about 0.4 us on an H200 (a block's 64 keys of 128, 32 KiB, from memory); a meeting of a
/// cluster about two of them, a combination through memory about five.
std::int32_t octet_splits(std::int64_t pairs, std::int64_t longest, std::int64_t processors) {
  std::int32_t best = 1;
  std::int64_t least = 0;
  for (std::int64_t splits = 1; splits * pairs <= processors; splits *= 2) {
    const std::int64_t cost = octet_rounds(longest, splits) + (splits == 1                       ? 0
                                                               : splits <= most_clustered_splits ? 2
                                                                                                 : 5);
    if (least == 0 || cost < least) {
      least = cost;
      best = static_cast<std::int32_t>(splits);
    }
  }
  return best;
}

}  // namespace

DecodeChoice choose_decode(const DecodeLoad& load, const DecodeSlots& slots, bool octets) {
  if (octets && load.pairs > 0 && load.pairs * 8 <= slots.processors)
    return {FreshKernel::octets, octet_splits(load.pairs, load.longest, slots.processors)};
  const std::int32_t splits = decode_splits(load, slots);
  return {FreshKernel::tiles, splits, static_cast<std::int32_t>(even_resident(load, splits, slots))};
}

}  // namespace inferometer
