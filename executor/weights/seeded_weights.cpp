#include "executor/weights/seeded_weights.hpp"

#include <algorithm>
#include <cmath>

#include "model/seeded.hpp"

namespace inferometer {
namespace {

/// The place of an element in its tensor, whatever the tensor's extents: 16 bits of matrix, 24 of row, 24 of
/// column.
std::uint64_t place(const WeightPart& part, std::int64_t r, std::int64_t c) {
  std::int64_t row = part.source_row + r * part.source_stride, column = part.source_column + c;
  if (part.transposed) std::swap(row, column);
  const auto matrix = static_cast<std::uint64_t>(part.source_matrix + 1);
  return matrix << 48 | static_cast<std::uint64_t>(row) << 24 | static_cast<std::uint64_t>(column);
}

}  // namespace

SeededScale seeded_scale(const WeightSpec& spec, const WeightPart& part) {
  const bool is_vector = spec.rows == 1;
  return {part.tensor.ends_with("norm.weight") ? 1.0F : 0.0F,
          is_vector ? 0.1F : std::sqrt(3.0F / static_cast<float>(spec.columns))};
}

void SeededWeights::read(const WeightSpec& spec, std::int64_t matrix, std::int64_t row, std::int64_t count,
                         float* out) const {
  const std::int64_t columns = extent(spec).columns;
  for_parts(spec, matrix, row, count,
            [&](const WeightPart& part, std::int64_t r, std::int64_t at, std::int64_t n) {
              const std::uint64_t key = tensor_key(seed_, part.tensor);
              const SeededScale scale = seeded_scale(spec, part);
              for (std::int64_t i = 0; i < n; ++i) {
                float* to = out + (at + i) * columns;
                for (std::int64_t c = 0; c < columns; ++c)
                  to[c] = scale.center + scale.size * seeded_uniform(key, place(part, r + i, c));
              }
            });
}

}  // namespace inferometer
