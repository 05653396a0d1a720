#pragma once
#include <algorithm>
#include <optional>
#include <string_view>

namespace inferometer {

constexpr std::string_view without_blanks(std::string_view text) {
  const std::size_t from = std::min(text.find_first_not_of(" \t\r"), text.size());
  return text.substr(from, text.find_last_not_of(" \t\r") + 1 - from);
}

/// Calls visit(cell, its place) for each cell of a line of CSV. Blanks around cells and quotes are left out;
/// a doubled quote inside stays doubled.   source  RFC 4180, without line breaks inside quotes
/// returns  where a quote does not end, or text stands behind one; cells before it were visited
template <class Visit>
std::optional<std::size_t> for_each_cell(std::string_view line, Visit visit) {
  for (std::size_t at = 0; at <= line.size();) {
    const std::size_t from = std::min(line.find_first_not_of(" \t\r", at), line.size());
    std::size_t end = std::min(line.find(',', at), line.size());
    std::string_view cell = without_blanks(line.substr(at, end - at));
    if (from < line.size() && line[from] == '"') {
      std::size_t quote = line.find('"', from + 1);
      while (quote != std::string_view::npos && line.substr(quote + 1).starts_with('"'))
        quote = line.find('"', quote + 2);
      if (quote == std::string_view::npos) return from;
      cell = line.substr(from + 1, quote - from - 1);
      end = std::min(line.find_first_not_of(" \t\r", quote + 1), line.size());
      if (end < line.size() && line[end] != ',') return end;
    }
    visit(cell, std::min(from, end));
    at = end + 1;
  }
  return std::nullopt;
}

}  // namespace inferometer
