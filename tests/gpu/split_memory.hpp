#pragma once
#include <algorithm>
#include <limits>
#include <vector>

#include "executor/cuda/inputs.hpp"
#include "tests/gpu/device.hpp"

namespace inferometer::cuda {

/// What decode attention needs to split the keys of some sequences, poisoned.
class SplitMemory {
 public:
  SplitMemory(std::vector<Sequence> sequences, std::int32_t splits, std::int64_t kv_heads, std::int64_t v_dim)
      : splits_(splits),
        partial_(
            std::vector<float>(static_cast<std::size_t>(decode_partials(
                                   static_cast<std::int64_t>(sequences.size()), kv_heads, splits, v_dim)),
                               std::numeric_limits<float>::quiet_NaN())),
        tickets_(std::vector<std::uint32_t>(sequences.size() * static_cast<std::size_t>(kv_heads), 0)),
        parts_(listed(std::move(sequences), splits)),
        part_count_(static_cast<std::int32_t>(parts_.values().size())) {}
  DecodeSplit split(std::int32_t resident, bool listed) const {
    DecodeSplit split{splits_, resident, partial_.data(), tickets_.data()};
    if (listed) {
      split.parts = parts_.data();
      split.part_count = part_count_;
    }
    return split;
  }

 private:
  /// With three of nothing behind them.
  static std::vector<DecodePart> listed(std::vector<Sequence> sequences, std::int32_t splits) {
    std::stable_sort(sequences.begin(), sequences.end(), [](const Sequence& a, const Sequence& b) {
      return a.cached + a.fresh > b.cached + b.fresh;
    });
    const std::int64_t most = static_cast<std::int64_t>(sequences.size()) * splits + 3;
    std::vector<DecodePart> parts = parts_of(sequences, splits, most);
    const auto real = std::count_if(parts.begin(), parts.end(), [](const DecodePart& p) { return p.of > 0; });
    parts.resize(static_cast<std::size_t>(real) + 3);
    return parts;
  }

  std::int32_t splits_;
  Array<float> partial_;
  Array<std::uint32_t> tickets_;
  Array<DecodePart> parts_;
  std::int32_t part_count_;
};

}  // namespace inferometer::cuda
