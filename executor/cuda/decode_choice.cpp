#include "executor/cuda/decode_choice.hpp"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <vector>

namespace inferometer::cuda {
namespace {

/// Lengths change from step to step, and graphs are recorded for numbers of parts: few of them, at most a
/// quarter or seven too many.
std::int64_t with_room(std::int64_t parts) {
  const std::int64_t step = std::max<std::int64_t>(
      8, static_cast<std::int64_t>(std::bit_floor(static_cast<std::uint64_t>(parts))) / 4);
  return (parts + step - 1) / step * step;
}

}  // namespace

DecodeChoice decode_choice(const Step& step, const KvCache& cache, std::int64_t group, bool octets,
                           std::int64_t processors) {
  std::vector<std::int64_t> keys;
  std::int64_t all = 0, longest = 1;
  for (const Slice& s : step.slices) {
    if (s.fresh == 0 || s.fresh * group > decode_rows) continue;
    keys.push_back(s.cached + s.fresh);
    all += keys.back();
    longest = std::max(longest, keys.back());
  }
  const auto decoding = static_cast<std::int64_t>(keys.size());
  const DecodeLoad load{.pairs = decoding * cache.kv_heads,
                        .longest = longest,
                        .mean = all / std::max<std::int64_t>(1, decoding),
                        .key_bytes = 2 * cache.head_dim * (cache.element == CacheElement::fp8 ? 1 : 2),
                        .head_dim = cache.head_dim,
                        .group = group};
  DecodeChoice choice = choose_decode(load, {processors, resident_decode_blocks(cache.head_dim)}, octets);
  const bool as_many =
      choice.splits == 1 || load.mean == longest || in_clusters(load.pairs, choice.splits, processors);
  if (as_many || choice.fresh == FreshKernel::octets) return choice;
  std::int64_t parts = 0;
  for (const std::int64_t k : keys) parts += decode_parts(k, longest, choice.splits);
  choice.parts = static_cast<std::int32_t>(with_room(parts));
  return choice;
}

DecodeChoice recorded_choice(DecodeChoice choice) {
  if (choice.parts > 0) choice.splits = 0;
  return choice;
}

}  // namespace inferometer::cuda
