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
  // For a key of each of n blocks that run at once.
  const auto read = [&](double n) {
    return std::max(costs.key, (n + costs.unfilled * static_cast<double>(s.processors)) * memory_key);
  };
  const auto wave = [&](double n) { return n <= 0 ? 0.0 : costs.start + mean * read(n); };
  const double full = std::floor(blocks / slots);
  const double waves = full * wave(slots) + wave(blocks - full * slots);
  const double spread = std::max(costs.start + mean * costs.key, mean * read(slots));
  const double even = blocks > slots ? wave(slots) + (blocks / slots - 1) * spread : waves;
  // Blocks of sequences that differ do not end together.
  const double alike = costs.whole * mean / longest, all = alike * waves + (1 - alike) * even;
  const double done = (all - costs.start) / read(std::min(blocks, slots));  // of the longest, meanwhile
  const double worked = all + costs.skew * std::max(0.0, longest - done) * costs.key;
  if (splits == 1) return worked;
  if (in_clusters(load.pairs, splits, s.processors)) return worked + costs.join_cluster;
  const double partial = 8 * blocks * static_cast<double>(load.group * load.head_dim);  // f32, twice
  return worked + costs.join + parts * costs.join_part + costs.partial_traffic * partial * costs.byte;
}

}  // namespace inferometer
