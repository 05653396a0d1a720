#pragma once
#include <vector>

#include "model/names.hpp"
#include "model/reader.hpp"
#include "papers/paper.hpp"

namespace inferometer {

/// What every kind of row has:
///   published: 5586          or [73.6, 106.6], a range
///   scored: false            counts in no summary (default: it does)
///   note: TEXT               needed where it does not
/// `label`, `unit` and `predicted` are left to the caller.
PaperRow read_paper_row(Reader& in);

/// A whole number of at least 1.
std::int64_t read_count(Reader& in, std::string_view key);

/// The mappings of the list under `key`, which may not be empty.
std::vector<Reader> read_rows(Reader& in, std::string_view key);

/// One of the names of an enumeration.
template <Named E>
E read_name(Reader& in, std::string_view key) {
  const std::string text = in.required<std::string>(key);
  const std::optional<E> value = value_named<E>(text);
  if (!value && !text.empty()) in.error(key, "\"" + text + "\" is not one of " + expected_names<E>());
  return value.value_or(E{});
}

}  // namespace inferometer
