#include "model/decode_splits.hpp"

#include <algorithm>

namespace inferometer {

std::int32_t decode_splits(const DecodeLoad& load, std::int64_t processors, std::int64_t resident) {
  constexpr std::int64_t fewest_keys = 64;
  constexpr double start = 75, join = 80, partial = 8;  // in keys
  constexpr double fastest = 600;  // of a key and its value: so many bytes a multiprocessor keeps memory busy
  const auto ceil_div = [](std::int64_t n, std::int64_t d) { return (n + d - 1) / d; };
  const std::int64_t slots = processors * resident;
  const double busy = static_cast<double>(processors) * fastest / static_cast<double>(load.key_bytes);
  const std::int64_t most = std::max<std::int64_t>(
      1, std::min(load.longest / fewest_keys,
                  most_decode_parts(processors) / std::max<std::int64_t>(1, load.pairs)));
  std::int32_t best = 1;
  double least = 0;
  for (std::int64_t splits = 1; splits <= most; ++splits) {
    const std::int64_t blocks = load.pairs * splits, rest = blocks % slots;
    const auto mean = static_cast<double>(ceil_div(load.mean, splits)),
               longest = static_cast<double>(ceil_div(load.longest, splits));
    const auto slowed = [&](std::int64_t n) { return std::max(1.0, static_cast<double>(n) / busy); };
    const auto wave = [&](std::int64_t n) { return n == 0 ? 0.0 : start + mean * slowed(n); };
    double keys = static_cast<double>(blocks / slots) * wave(slots) + wave(rest);
    keys += std::max(0.0, longest - (keys - start) / slowed(std::min(blocks, slots)));
    if (splits > 1) keys += join + partial * static_cast<double>(blocks) / busy;
    if (splits == 1 || keys < least) {
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

DecodeChoice choose_decode(const DecodeLoad& load, std::int64_t processors, std::int64_t resident,
                           bool octets) {
  if (octets && load.pairs > 0 && load.pairs * 4 <= processors)
    return {FreshKernel::octets, octet_splits(load.pairs, load.longest, processors)};
  return {FreshKernel::tiles, decode_splits(load, processors, resident)};
}

}  // namespace inferometer
