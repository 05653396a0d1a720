#pragma once
#include <string>
#include <string_view>

#include "model/result.hpp"
#include "model/traffic.hpp"

namespace inferometer {

/// Requests of a file, and what of it is none.
struct RequestTrace {
  Traffic traffic;
  bool has_arrivals = false;
  std::int64_t images = 0;    ///< that prompts came with and that are left out
  std::int64_t bad_rows = 0;  ///< that are no requests
  Errors first_bad;           ///< the first ten thousand of those, each with its place
};

/// Reads a trace: CSV with a header, or JSON objects one a line (told by the first character), whose columns
/// or keys columns.cpp knows; others are left aside. Arrivals count from the first one; order and sessions as
/// in_order() has them. A JSON object with "sub_requests" is a session whose requests wait for each other. A
/// row that is no request is counted and told, and the others are read.
///
/// block_tokens  tokens of one identity of a block; 0: as the format says (512 in Mooncake's, 16 for BLIS's
///               prefixes and where a format has the tokens of prompts themselves); an identity names its
///               block and all before it
/// errors        at file:line:column: no column for prompts or outputs, two of one meaning, no row that is a
///               request, identities of blocks whose size neither format nor caller says, or that are not
///               there though the caller says their size
/// ignores       what images cost; that turns of sub_requests share their history, which the format does not
///               say
/// cost          about 0.1 us a number
[[nodiscard]] Result<RequestTrace> read_trace(std::string_view text, const std::string& file,
                                              std::int64_t block_tokens);

}  // namespace inferometer
