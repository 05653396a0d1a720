#pragma once
#include <cstdint>

#include "executor/weights/weight_reader.hpp"

namespace inferometer {

/// Values of a part are center + size * u.
struct SeededScale {
  float center = 0, size = 1;
};
SeededScale seeded_scale(const WeightSpec& spec, const WeightPart& part);

/// Values that stand for a checkpoint's where only time matters: a pure function of (seed, tensor, place in
/// it), the same on any machine and however products are merged.
///   matrices  uniform with variance 1 / columns, so that activations keep their size from layer to layer
///   norms     1 + 0.1 u      other vectors  0.1 u      u uniform in [-1, 1)
class SeededWeights final : public WeightReader {
 public:
  explicit SeededWeights(std::uint64_t seed) : seed_(seed) {}
  Errors check(const Structure&) const override { return {}; }
  void read(const WeightSpec& spec, std::int64_t matrix, std::int64_t row, std::int64_t count,
            float* out) const override;

 private:
  std::uint64_t seed_;
};

}  // namespace inferometer
