#pragma once
#include <string>
#include <string_view>

#include "reports/tables.hpp"

namespace inferometer {

/// A whole page, its style in it. title, description: as text; body: as HTML.
std::string html_page(std::string_view title, std::string_view description, const std::string& body);
std::string html(const Table& table);
/// A square in a colour of the style, and what it stands for, as HTML.
std::string key(std::string_view css, std::string_view what);
/// caption: as HTML.
std::string figure(const std::string& chart, const std::string& caption);

}  // namespace inferometer
