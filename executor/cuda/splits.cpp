#include "executor/cuda/splits.hpp"

#include <algorithm>

namespace inferometer::cuda {

std::int32_t decode_splits(const DecodeLoad& load, std::int64_t slots) {
  constexpr std::int64_t fewest_keys = 64, cost_in_keys = 96;
  const std::int64_t most = std::max<std::int64_t>(
      1,
      std::min(load.longest / fewest_keys, most_decode_parts(slots) / std::max<std::int64_t>(1, load.pairs)));
  std::int32_t best = 1;
  std::int64_t least = 0;
  for (std::int64_t splits = 1; splits <= most; ++splits) {
    const std::int64_t waves = (load.pairs * splits + slots - 1) / slots;
    const auto block = [&](std::int64_t keys) {
      return (keys + splits - 1) / splits + (splits > 1 ? cost_in_keys : 0);
    };
    const std::int64_t keys = std::max(waves * block(load.mean), block(load.longest));
    if (least == 0 || keys < least) {
      least = keys;
      best = static_cast<std::int32_t>(splits);
    }
  }
  return best;
}

namespace {

/// Rounds cost about 0.4 us on an H200 (a block's 64 keys of 128, 32 KiB, from memory); a meeting of a
/// cluster about two of them, a combination through memory about five.
std::int32_t octet_splits(std::int64_t pairs, std::int64_t longest, std::int64_t processors) {
  constexpr std::int64_t keys_a_round = 64, most_clustered = 8;
  std::int32_t best = 1;
  std::int64_t least = 0;
  for (std::int64_t splits = 1; splits * pairs <= processors; splits *= 2) {
    const std::int64_t rounds = (longest + splits * keys_a_round - 1) / (splits * keys_a_round),
                       cost = rounds + (splits == 1                ? 0
                                        : splits <= most_clustered ? 2
                                                                   : 5);
    if (least == 0 || cost < least) {
      least = cost;
      best = static_cast<std::int32_t>(splits);
    }
  }
  return best;
}

}  // namespace

DecodeChoice choose_decode(const DecodeLoad& load, std::int64_t slots, std::int64_t processors, bool octets) {
  if (octets && load.pairs > 0 && load.pairs * 4 <= processors)
    return {FreshKernel::octets, octet_splits(load.pairs, load.longest, processors)};
  return {FreshKernel::tiles, decode_splits(load, slots)};
}

}  // namespace inferometer::cuda
