#pragma once
#include <string>
#include <string_view>

#include "model/document.hpp"

namespace inferometer {

/// Parses one YAML document into a tree with places (lines and columns from 1). The only file that sees the
/// YAML library. Scalars keep their spelling: 010, 1e3, 0x10 and yes are for the reader to judge.
///
/// errors  what check_yaml_text tells; malformed text; repeated keys (the library takes the first silently),
///         keys that are no plain text, anchors, aliases, tags, merge keys, several documents, nesting deeper
///         than 64
[[nodiscard]] Result<Document> parse_yaml(std::string_view text, const std::string& file);

}  // namespace inferometer
