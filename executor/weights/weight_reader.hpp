#pragma once
#include "model/structure.hpp"

namespace inferometer {

/// Where the values of constants come from.
class WeightReader {
 public:
  virtual ~WeightReader() = default;
  /// What of the structure's weights is missing or has another shape. read() requires that there is none.
  virtual Errors check(const Structure& structure) const = 0;
  /// Rows [row, row + count) of one matrix of `spec`, as f32 [count, columns]; of a vector its elements
  /// [row, row + count). May be called by several threads at a time.
  virtual void read(const WeightSpec& spec, std::int64_t matrix, std::int64_t row, std::int64_t count,
                    float* out) const = 0;
};

/// Vectors are read by element: as matrices of one column.
struct WeightExtent {
  std::int64_t rows = 0, columns = 0;
};
inline WeightExtent extent(const WeightSpec& spec) {
  return spec.rows == 1 ? WeightExtent{spec.columns, 1} : WeightExtent{spec.rows, spec.columns};
}

/// Calls f(part, first row of the part that is wanted, where it goes, how many) for each part of `spec` that
/// rows [row, row + count) of `matrix` come from.
template <class F>
void for_parts(const WeightSpec& spec, std::int64_t matrix, std::int64_t row, std::int64_t count, F f) {
  for (const WeightPart& part : spec.parts) {
    if (part.matrix != matrix) continue;
    const std::int64_t first = std::max(row, part.row), last = std::min(row + count, part.row + part.rows);
    if (first < last) f(part, first - part.row, first - row, last - first);
  }
}

}  // namespace inferometer
