#pragma once
#include <vector>

#include "model/read_name.hpp"
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

}  // namespace inferometer
