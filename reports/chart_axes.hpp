#pragma once
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "reports/svg.hpp"

/// Axes of the charts of served runs. Lengths are in units of the drawing.
namespace inferometer::chart {

inline constexpr double width = 1000, left = 64, right = 250, top = 12, height = 240, bottom = 34;
inline constexpr double inner = width - left - right;

/// To three digits.
inline double rounded(double x) {
  const double unit = std::pow(10, std::floor(std::log10(x)) - 2);
  return std::round(x / unit) * unit;
}

inline std::string seconds_text(double t) {
  return t > 0 && t < 1 ? fmt::format("{:g} ms", t * 1e3) : fmt::format("{:g} s", t);
}

/// Seconds from `least` to `most` on a logarithmic axis, with a line at each 1, 2 and 5; over many decades
/// only those at 1 are labelled.
struct LogAxis {
  double least, most;
  double part(double seconds) const {
    return std::clamp(std::log(std::max(seconds, least) / least) / std::log(most / least), 0.0, 1.0);
  }
  double across(double seconds) const { return left + inner * part(seconds); }
  double up(double seconds) const { return height - bottom - (height - top - bottom) * part(seconds); }

  std::string lines_across() const {
    return each_line([&](double t, bool labelled) {
      return svg_line(across(t), top, across(t), height - bottom, "grid") +
             (labelled ? svg_text(across(t), height - bottom + 16, "tick middle", seconds_text(t)) : "");
    });
  }
  std::string lines_up() const {
    return each_line([&](double t, bool labelled) {
      return svg_line(left, up(t), left + inner, up(t), "grid") +
             (labelled ? svg_text(left - 6, up(t) + 4, "tick end", seconds_text(t)) : "");
    });
  }

 private:
  std::string each_line(const auto& draw) const {
    std::string text;
    int labelled = 0;
    for (double decade = std::pow(10, std::floor(std::log10(least))); decade <= most; decade *= 10) {
      for (const double step : {1.0, 2.0, 5.0}) {
        const double t = decade * step;
        const bool label = step == 1.0 || most / least <= 3000;
        if (t < least || t > most) continue;
        text += draw(t, label);
        labelled += label;
      }
    }
    if (labelled < 2) text += draw(rounded(least), true) + draw(rounded(most), true);
    return text;
  }
};

/// 1, 2 or 5 times a power of ten, so that at most six of them lie between 0 and `end`.
inline double round_step(double end) {
  const double decade = std::pow(10, std::floor(std::log10(end / 6)));
  for (const double step : {1.0, 2.0, 5.0}) {
    if (6 * step * decade >= end) return step * decade;
  }
  return 10 * decade;
}

}  // namespace inferometer::chart
