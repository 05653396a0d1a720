#pragma once
#include <nlohmann/json.hpp>
#include <optional>

#include "model/units.hpp"

namespace inferometer {

/// A value as JSON has it, a quantity as the number of its units, a time in seconds; null where there is
/// none.
template <class T>
nlohmann::ordered_json or_null(const std::optional<T>& value) {
  if (!value) return nullptr;
  return *value;
}
template <class Tag, class Number>
nlohmann::ordered_json or_null(const std::optional<Quantity<Tag, Number>>& quantity) {
  if (!quantity) return nullptr;
  return quantity->value;
}
inline nlohmann::ordered_json or_null(const std::optional<Nanoseconds>& time) {
  if (!time) return nullptr;
  return Seconds{*time}.count();
}

}  // namespace inferometer
