#include "model/decode_time.hpp"

#include <algorithm>
#include <cmath>

namespace inferometer {

double decode_time(const DecodeLoad& load, std::int64_t splits, const DecodeSlots& s,
                   const DecodeCosts& costs) {
  const auto part = [&](std::int64_t keys) {
    return 16 * std::ceil(static_cast<double>(keys) / static_cast<double>(splits) / 16);
  };
  const auto parts = static_cast<double>(splits), blocks = static_cast<double>(load.pairs) * parts,
             slots = static_cast<double>(s.processors * s.resident);
  const double mean = part(load.mean), longest = part(load.longest);
  const double memory_key = costs.byte * static_cast<double>(load.key_bytes);
  // For a key of each of n blocks.
  const auto memory = [&](double n) {
    return (n + costs.unfilled * static_cast<double>(s.processors) * (1 - n / slots)) * memory_key;
  };
  const auto wave = [&](double n) {
    if (n <= 0) return 0.0;
    return std::max(costs.start + mean * costs.key, (1 - costs.hidden) * costs.start + mean * memory(n));
  };
  const double full = std::floor(blocks / slots);
  const double waves = full * wave(slots) + wave(blocks - full * slots);
  const double even = blocks > slots ? blocks / slots * wave(slots) : waves;
  // Blocks of sequences that differ do not end together.
  const double alike = costs.whole * mean / longest, all = alike * waves + (1 - alike) * even;
  const double beside = std::max(costs.key, memory(std::min(blocks, slots)));
  const double begun = wave(std::min(blocks, slots)) - mean * beside;  // of a start, what shows
  const double read = std::max(0.0, all - begun) / beside;
  const double worked = all + costs.skew * std::max(0.0, longest - read) * costs.key;
  if (splits == 1) return worked;
  // Clusters must all run at once.
  if (splits <= most_clustered_splits && load.pairs * splits <= s.processors)
    return worked + costs.join_cluster;
  const double partial = 8 * blocks * static_cast<double>(load.group * load.head_dim);  // f32, twice
  return worked + costs.join + parts * costs.join_part + costs.partial_traffic * partial * costs.byte;
}

}  // namespace inferometer
