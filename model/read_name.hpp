#pragma once
#include <optional>
#include <string>

#include "model/names.hpp"
#include "model/reader.hpp"

namespace inferometer {

/// What `text`, the value of `key`, names; otherwise an error there with the names that there are.
template <Named E>
std::optional<E> name_in(Reader& in, std::string_view key, const std::string& text) {
  const std::optional<E> value = value_named<E>(text);
  if (!value) in.error(key, "\"" + text + "\" is not one of " + expected_names<E>());
  return value;
}

/// The same of a key that has to be there; E{} with an error.
template <Named E>
E read_name(Reader& in, std::string_view key) {
  const std::string text = in.required<std::string>(key);
  return text.empty() ? E{} : name_in<E>(in, key, text).value_or(E{});
}

}  // namespace inferometer
