#pragma once
#include <string>
#include <string_view>

#include "model/result.hpp"
#include "model/traffic.hpp"

namespace inferometer {

/// Requests of a file, and the rows of it that are none.
struct Trace {
  Traffic traffic;
  bool has_arrivals = false;
  std::int64_t bad_rows = 0;
  Errors first_bad;  ///< of those, each with its place
};

/// Reads a trace: CSV with a header, or JSON objects one a line (told by the first character), whose columns
/// or keys columns.cpp knows. Arrivals count from the first one; rows are put in order of arrival. Block
/// identities are numbers, ranges a-b in CSV, lists in JSON.
///
/// errors  at file:line:column: no column for prompts or outputs, no row that is a request
/// cost    about 0.1 us a number
[[nodiscard]] Result<Trace> read_trace(std::string_view text, const std::string& file);

}  // namespace inferometer
