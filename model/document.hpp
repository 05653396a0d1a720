#pragma once
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/result.hpp"

namespace inferometer {

/// A parsed YAML or JSON text with the place of every key and value, so that each mistake can be told where
/// it is. Scalars keep their spelling: what a number means is the reader's business.
struct Document {
  enum class Kind { null, scalar, sequence, mapping };
  struct Entry;

  Kind kind = Kind::null;
  std::string scalar;   ///< spelling, without quotes
  bool quoted = false;  ///< "10" is text, 10 is a number
  std::vector<Document> sequence;
  std::vector<Entry> mapping;  ///< in the order of the text; keys are unique
  Location where;
};

struct Document::Entry {
  std::string key;
  Location key_where;
  Document value;
};

/// Parses JSON text strictly (RFC 8259, UTF-8).
///
/// errors  one, at its place: what is not JSON, bytes that are not UTF-8, a byte order mark, repeated keys,
///         text after the value, nesting deeper than 64 levels, more than 16 MiB
[[nodiscard]] Result<Document> parse_json(std::string_view text, const std::string& file);

/// `text` in double quotes for a message: control characters and bytes that are not UTF-8 as '?', cut after
/// about 60 bytes.
std::string in_quotes(std::string_view text);

}  // namespace inferometer
