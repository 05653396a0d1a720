#pragma once
#include <string>
#include <string_view>

#include "model/result.hpp"

namespace inferometer {

/// What keeps `text` from being YAML text at all, before any parsing: more than 4 MiB, bytes that are not
/// UTF-8, control characters, tabs in the indentation. The YAML library lets the first three pass, and tells
/// the last one as something else. Columns count bytes, as the library's do.
Errors check_yaml_text(std::string_view text, const std::string& file);

/// A double-quoted YAML text.
std::string yaml_quoted(std::string_view text);

}  // namespace inferometer
