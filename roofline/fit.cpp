#include "roofline/fit.hpp"

#include <algorithm>
#include <cmath>

#include "model/nearest_rank.hpp"
#include "roofline/parameters.hpp"

namespace inferometer {
namespace {

using Point = std::vector<double>;

Calibration with_values(Calibration c, const Point& log_values) {
  for (std::size_t i = 0; i < log_values.size(); ++i) c.parameters[i].value = std::exp(log_values[i]);
  return c;
}

double log_ratio(const CalibrationPoint& p, const Device& device, const Calibration& c) {
  return std::log(estimate(p.op, device, c, p.surroundings).time().count() / p.time.count());
}

/// Quadratic near zero, linear far away: one disturbed sample cannot steer the fit. Scale: 20 %.
double soft_l1(double r) {
  const double scaled = r / 0.2;
  return std::sqrt(1.0 + scaled * scaled) - 1.0;
}

/// Moves each coordinate in turn to the best of a grid over its whole range, then of finer ones around that.
void sweep_coordinates(const std::function<double(const Point&)>& f, Point& at, const Point& low,
                       const Point& high) {
  constexpr int cells = 16;
  for (std::size_t i = 0; i < at.size(); ++i) {
    double from = low[i], to = high[i], best = at[i], best_value = f(at);
    for (int level = 0; level < 3; ++level) {
      const double cell = (to - from) / cells;
      for (int c = 0; c <= cells; ++c) {
        at[i] = from + c * cell;
        const double value = f(at);
        if (value < best_value) {
          best_value = value;
          best = at[i];
        }
      }
      from = std::max(low[i], best - cell);
      to = std::min(high[i], best + cell);
    }
    at[i] = best;
  }
}

}  // namespace

std::vector<double> minimize(const std::function<double(const Point&)>& f, Point start,
                             std::span<const double> low, std::span<const double> high, int evaluations) {
  const std::size_t n = start.size();
  const auto clamp = [&](Point p) {
    for (std::size_t i = 0; i < n; ++i) p[i] = std::clamp(p[i], low[i], high[i]);
    return p;
  };
  struct Vertex {
    Point at;
    double value;
  };
  std::vector<Vertex> simplex;
  const auto evaluate = [&](Point p) {
    p = clamp(std::move(p));
    const double v = f(p);
    --evaluations;
    return Vertex{std::move(p), v};
  };
  simplex.push_back(evaluate(start));
  for (std::size_t i = 0; i < n; ++i) {
    Point p = simplex[0].at;
    const double step = 0.15 * (high[i] - low[i]);
    p[i] += p[i] + step <= high[i] ? step : -step;
    simplex.push_back(evaluate(std::move(p)));
  }
  const auto by_value = [](const Vertex& a, const Vertex& b) { return a.value < b.value; };
  while (evaluations > 0) {
    std::stable_sort(simplex.begin(), simplex.end(), by_value);
    Point centre(n, 0.0);
    for (std::size_t v = 0; v < n; ++v) {
      for (std::size_t i = 0; i < n; ++i) centre[i] += simplex[v].at[i] / static_cast<double>(n);
    }
    Vertex& worst = simplex[n];
    const auto along = [&](double t) {
      Point p(n);
      for (std::size_t i = 0; i < n; ++i) p[i] = centre[i] + t * (worst.at[i] - centre[i]);
      return evaluate(std::move(p));
    };
    Vertex reflected = along(-1.0);
    if (reflected.value < simplex[0].value) {
      Vertex expanded = along(-2.0);
      worst = expanded.value < reflected.value ? std::move(expanded) : std::move(reflected);
    } else if (reflected.value < simplex[n - 1].value) {
      worst = std::move(reflected);
    } else if (Vertex contracted = along(reflected.value < worst.value ? -0.5 : 0.5);
               contracted.value < worst.value) {
      worst = std::move(contracted);
    } else {
      for (std::size_t v = 1; v <= n; ++v) {
        Point p(n);
        for (std::size_t i = 0; i < n; ++i) p[i] = 0.5 * (simplex[v].at[i] + simplex[0].at[i]);
        simplex[v] = evaluate(std::move(p));
      }
    }
  }
  return std::min_element(simplex.begin(), simplex.end(), by_value)->at;
}

FitResult fit(std::span<const CalibrationPoint> points, const std::vector<std::string>& names,
              const Device& device) {
  Calibration frame{.level = Level::calibrated,
                    .device = device.name,
                    .source = "",
                    .date = "",
                    .machine = "",
                    .parameters = {}};
  Point low, high;
  for (const std::string& name : names) {
    const ParameterInfo& info = parameter_info(name);
    frame.parameters.push_back({name, 0, std::string{info.unit}, std::string{info.doc}});
    low.push_back(std::log(std::max(info.low, 1e-3)));  // searched in logarithms: all parameters are positive
    high.push_back(std::log(info.high));
  }
  const auto loss = [&](const Point& log_values) {
    const Calibration c = with_values(frame, log_values);
    double sum = 0;
    for (const CalibrationPoint& p : points) sum += p.weight * soft_l1(log_ratio(p, device, c));
    return sum;
  };
  Point best;
  double best_loss = 0;
  for (const double where : {0.4, 0.7}) {
    Point start(names.size());
    for (std::size_t i = 0; i < start.size(); ++i) start[i] = low[i] + where * (high[i] - low[i]);
    // The parameters hardly touch each other's points: one at a time comes near, whatever the start. A
    // simplex collapses on long valleys: it starts again from where it stopped.
    for (int sweep = 0; sweep < 3; ++sweep) sweep_coordinates(loss, start, low, high);
    for (int restart = 0; restart < 2; ++restart) start = minimize(loss, start, low, high, 1500);
    const double value = loss(start);
    if (best.empty() || value < best_loss) {
      best_loss = value;
      best = std::move(start);
    }
  }
  FitResult result{with_values(frame, best), {}};
  std::vector<double> errors;
  for (const CalibrationPoint& p : points)
    errors.push_back(std::abs(std::expm1(log_ratio(p, device, result.calibration))));
  result.quality = {nearest_rank(errors, 0.5), nearest_rank(errors, 0.9)};
  return result;
}

}  // namespace inferometer
