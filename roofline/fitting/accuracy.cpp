#include "roofline/fitting/accuracy.hpp"

#include <cmath>

#include "model/nearest_rank.hpp"

namespace inferometer {

Accuracy accuracy_of(const std::vector<Scored>& scored) {
  if (scored.empty()) return {};
  Accuracy a{.n = scored.size()};
  std::vector<double> errors;
  for (const Scored& s : scored) {
    errors.push_back(100 * std::abs(s.error()));
    a.mape += errors.back();
    a.bias += 100 * s.error();
    a.coverage += s.low <= s.measured + s.resolution / 2 && s.measured - s.resolution / 2 <= s.high ? 100 : 0;
  }
  const auto n = static_cast<double>(a.n);
  a.mape /= n;
  a.bias /= n;
  a.coverage /= n;
  a.median_ape = nearest_rank(errors, 0.5);
  a.p90_ape = nearest_rank(errors, 0.9);
  return a;
}

}  // namespace inferometer
