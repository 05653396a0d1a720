#pragma once
#include <string>
#include <string_view>

#include "model/document.hpp"

namespace inferometer {

/// Parses one YAML document into a tree with places (lines and columns from 1). The only file that sees the
/// YAML library.
///
/// errors  malformed text, repeated keys (the library takes the first silently), anchors, aliases, tags,
/// merge keys, several
///         documents, nesting deeper than 64, more than 4 MiB, bytes that are not text
[[nodiscard]] Result<Document> parse_yaml(std::string_view text, const std::string& file);

}  // namespace inferometer
