#pragma once
#include <array>
#include <cstddef>
#include <vector>

namespace inferometer {

/// Values that were measured at points of up to four dimensions, and what lies between them: linear in each
/// coordinate, so never beyond the values around it. Points may be ragged: those that share a first
/// coordinate have an axis of their own for the second, and so on. Points that are equal count once, with
/// their mean. Below an axis its first value holds (a kernel has a floor); above it the last two go on in a
/// line, which is not let fall.
class InterpolatedTable {
 public:
  static constexpr std::size_t dimensions = 4;
  using Point = std::array<double, dimensions>;
  struct Value {
    Point at{};  ///< coordinates that a table does not have are 0
    double value = 0;
  };

  InterpolatedTable() = default;
  explicit InterpolatedTable(std::vector<Value> values);
  bool empty() const { return values_.empty(); }
  /// returns  0 of an empty table
  /// cost     O(log points) for each of at most 2^dimensions corners
  double at(const Point& point) const;

 private:
  using Iterator = std::vector<Value>::const_iterator;
  static double between(Iterator begin, Iterator end, const Point& point, std::size_t dimension);

  std::vector<Value> values_;  ///< in lexicographic order of their points
};

}  // namespace inferometer
