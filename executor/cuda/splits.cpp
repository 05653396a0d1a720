#include "executor/cuda/splits.hpp"

#include <algorithm>

namespace inferometer::cuda {

std::int32_t decode_splits(std::int64_t pairs, std::int64_t longest, std::int64_t slots) {
  constexpr std::int64_t fewest_keys = 64, cost_in_keys = 96;
  const std::int64_t most = std::max<std::int64_t>(
      1, std::min(longest / fewest_keys, most_decode_parts(slots) / std::max<std::int64_t>(1, pairs)));
  std::int32_t best = 1;
  std::int64_t least = 0;
  for (std::int64_t splits = 1; splits <= most; ++splits) {
    const std::int64_t waves = (pairs * splits + slots - 1) / slots;
    const std::int64_t keys = waves * ((longest + splits - 1) / splits + (splits > 1 ? cost_in_keys : 0));
    if (least == 0 || keys < least) {
      least = keys;
      best = static_cast<std::int32_t>(splits);
    }
  }
  return best;
}

}  // namespace inferometer::cuda
