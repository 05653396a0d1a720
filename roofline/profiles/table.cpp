#include "roofline/profiles/table.hpp"

#include <algorithm>

namespace inferometer {

InterpolatedTable::InterpolatedTable(std::vector<Value> values) {
  std::stable_sort(values.begin(), values.end(), [](const Value& a, const Value& b) { return a.at < b.at; });
  for (auto first = values.begin(); first != values.end();) {
    const auto last =
        std::find_if(first, values.end(), [&](const Value& other) { return other.at != first->at; });
    double sum = 0;
    for (auto v = first; v != last; ++v) sum += v->value;
    values_.push_back({first->at, sum / static_cast<double>(last - first)});
    first = last;
  }
}

double InterpolatedTable::at(const Point& point) const {
  return values_.empty() ? 0 : between(values_.begin(), values_.end(), point, 0);
}

double InterpolatedTable::between(Iterator begin, Iterator end, const Point& point, std::size_t dimension) {
  if (dimension == dimensions) return begin->value;
  const double wanted = point[dimension];
  const auto from = [&](Iterator after, double x) {
    return std::lower_bound(after, end, x, [&](const Value& v, double key) { return v.at[dimension] < key; });
  };
  const auto behind = [&](Iterator after, double x) {
    return std::upper_bound(after, end, x, [&](double key, const Value& v) { return key < v.at[dimension]; });
  };
  // The groups of points around the wanted coordinate: [low, high) below it, [high, high_end) above.
  Iterator high = from(begin, wanted);
  if (high == begin || (high != end && high->at[dimension] == wanted))
    return between(high, behind(high, high->at[dimension]), point, dimension + 1);
  const bool beyond = high == end;
  if (beyond) high = from(begin, (end - 1)->at[dimension]);
  if (high == begin) return between(begin, end, point, dimension + 1);  // one group: nothing to go on from
  const Iterator low = from(begin, (high - 1)->at[dimension]);
  const double low_value = between(low, high, point, dimension + 1);
  const double high_value = between(high, behind(high, high->at[dimension]), point, dimension + 1);
  const double part = (wanted - low->at[dimension]) / (high->at[dimension] - low->at[dimension]);
  const double value = low_value + part * (high_value - low_value);
  return beyond ? std::max(value, high_value) : value;
}

}  // namespace inferometer
