#pragma once
#include <cstdint>
#include <vector>

#include "model/seeded.hpp"

namespace inferometer {

/// `count` of the numbers below `n`, or all of them: one drawn from each of as many equal parts, with one
/// seed. Measurements come in sweeps: parts represent every sweep, and draws do not meet one size of it over
/// and over.
inline std::vector<std::size_t> draw(std::size_t n, std::size_t count) {
  std::vector<std::size_t> drawn;
  for (std::size_t i = 0; i < count && i < n; ++i) {
    const std::size_t first = count < n ? i * n / count : i, end = count < n ? (i + 1) * n / count : i + 1;
    drawn.push_back(first + mix(i) % (end - first));
  }
  return drawn;
}

}  // namespace inferometer
