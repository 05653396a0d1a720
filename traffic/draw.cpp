#include "traffic/draw.hpp"

#include <cmath>

namespace inferometer {

double Draws64::normal() {
  while (true) {
    const double u = 2 * uniform() - 1, v = 2 * uniform() - 1, s = u * u + v * v;
    if (s < 1 && s > 0) return u * std::sqrt(-2 * natural_log(s) / s);  // sqrt is exact everywhere
  }
}

double Draws64::gamma(double shape) {
  if (shape < 1) {
    // Of shape + 1, times u^(1 / shape).
    const double larger = gamma(shape + 1);
    const double power = natural_log(uniform()) / shape;
    return power < -700 ? 0 : larger * exponential_of(power);
  }
  const double d = shape - 1.0 / 3, c = 1 / std::sqrt(9 * d);
  while (true) {
    const double x = normal(), root = 1 + c * x;
    if (root <= 0) continue;
    const double v = root * root * root;
    if (natural_log(uniform()) < 0.5 * x * x + d - d * v + d * natural_log(v)) return d * v;
  }
}

}  // namespace inferometer
