#pragma once
#include <fmt/format.h>

#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace inferometer {

/// Text as it may stand in HTML, in quotes too.
inline std::string escape_html(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

/// An inline drawing `width` x `height` units wide that scales with the page.
inline std::string svg(double width, double height, std::string_view label, const std::string& content) {
  return fmt::format("<svg viewBox=\"0 0 {:.0f} {:.0f}\" role=\"img\" aria-label=\"{}\">{}</svg>\n", width,
                     height, escape_html(label), content);
}
inline std::string svg_rect(double x, double y, double width, double height, std::string_view css,
                            std::string_view title) {
  return fmt::format(
      "<rect class=\"{}\" x=\"{:.2f}\" y=\"{:.2f}\" width=\"{:.2f}\" "
      "height=\"{:.2f}\"><title>{}</title></rect>",
      css, x, y, width, height, escape_html(title));
}
inline std::string svg_text(double x, double y, std::string_view css, std::string_view text) {
  return fmt::format("<text class=\"{}\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>", css, x, y, escape_html(text));
}
inline std::string svg_line(double x1, double y1, double x2, double y2, std::string_view css) {
  return fmt::format("<line class=\"{}\" x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\"/>", css, x1,
                     y1, x2, y2);
}

/// A colour for each curve.
inline std::string hue(std::size_t curve) {
  constexpr std::array hues{212, 12, 140, 275, 40, 320, 180, 90};
  return fmt::format("hsl({} 60% 50%)", hues[curve % hues.size()]);
}

inline std::string polyline(const std::vector<std::pair<double, double>>& points, const std::string& colour,
                            bool dashed, std::string_view title) {
  std::string path;
  for (const auto& [x, y] : points) path += fmt::format("{:.1f},{:.1f} ", x, y);
  return fmt::format(
      "<polyline fill=\"none\" stroke=\"{}\" stroke-width=\"1.8\"{} "
      "points=\"{}\"><title>{}</title></polyline>",
      colour, dashed ? " stroke-dasharray=\"5 3\"" : "", path, escape_html(title));
}

}  // namespace inferometer
