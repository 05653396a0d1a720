#include "model/decode_time.hpp"

#include <algorithm>
#include <cmath>

namespace inferometer {

double mean_decode_parts(const DecodeLoad& load, std::int64_t splits, std::int64_t processors) {
  const auto most = static_cast<double>(splits);
  if (splits == 1 || load.mean >= load.longest || in_clusters(load.pairs, splits, processors)) return most;
  const double part = static_cast<double>(load.longest) / most;
  return std::min(most, 1 / (1 - std::exp(-part / static_cast<double>(load.mean))));
}

double decode_time(const DecodeLoad& load, std::int64_t splits, const DecodeSlots& s,
                   const DecodeCosts& costs) {
  return decode_time(load, splits, mean_decode_parts(load, splits, s.processors), s, costs);
}

double decode_time(const DecodeLoad& load, std::int64_t splits, double parts, const DecodeSlots& s,
                   const DecodeCosts& costs) {
  const auto part = [](std::int64_t keys, double of) {
    return 16 * std::ceil(static_cast<double>(keys) / of / 16);
  };
  const double blocks = static_cast<double>(load.pairs) * parts;
  const auto slots = static_cast<double>(s.processors * s.resident), most = static_cast<double>(splits);
  const double longest = part(load.longest, most), mean = part(load.mean, parts);
  const double memory_key = costs.byte * static_cast<double>(load.key_bytes);
  // A key of one of two blocks on a multiprocessor, in those of one by itself (whole steps on an H200,
  // 2026-12-01, driver 580).
  constexpr double two_keys = 1.5;
  const bool shared = splits > 2 && s.resident > 1 && in_clusters(load.pairs, splits, s.processors);
  const double of_block = shared ? two_keys * costs.key : costs.key;
  // For a key of each of n blocks that run at once.
  const auto read = [&](double n) {
    return std::max(of_block, (n + costs.unfilled * static_cast<double>(s.processors)) * memory_key);
  };
  const auto wave = [&](double n) { return n <= 0 ? 0.0 : costs.start + mean * read(n); };
  const double full = std::floor(blocks / slots);
  const double waves = full * wave(slots) + wave(blocks - full * slots);
  const double spread = std::max(costs.start + mean * costs.key, mean * read(slots));
  const double even = blocks > slots ? wave(slots) + (blocks / slots - 1) * spread : waves;
  // Blocks of sequences that differ do not end together.
  const double alike = costs.whole * std::min(1.0, mean / longest), all = alike * waves + (1 - alike) * even;
  const double done = (all - costs.start) / read(std::min(blocks, slots));  // of the longest, meanwhile
  const double worked = all + costs.skew * std::max(0.0, longest - done) * costs.key;
  if (splits == 1) return worked;
  if (in_clusters(load.pairs, splits, s.processors)) return worked + costs.join_cluster;
  const double joined = parts < most ? parts - 1 / parts : parts;  // of a pair: one part needs no joining
  const double partial = 8 * static_cast<double>(load.pairs) * joined *
                         static_cast<double>(load.group * load.head_dim);  // f32, twice
  return worked + costs.join + most * costs.join_part + costs.partial_traffic * partial * costs.byte;
}

}  // namespace inferometer
