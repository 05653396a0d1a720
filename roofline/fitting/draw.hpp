#pragma once
#include <algorithm>
#include <cstdint>
#include <numeric>
#include <vector>

#include "model/seeded.hpp"

namespace inferometer {

/// `count` of the numbers below `n`, or all of them, drawn with one seed and in their order: measurements come
/// in sweeps, of which every so many-th would be one size over and over.
inline std::vector<std::size_t> draw(std::size_t n, std::size_t count) {
  std::vector<std::size_t> all(n);
  std::iota(all.begin(), all.end(), std::size_t{0});
  if (count >= n) return all;
  const auto sooner = [](std::size_t a, std::size_t b) { return mix(a) < mix(b); };
  std::nth_element(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(count), all.end(), sooner);
  all.resize(count);
  std::sort(all.begin(), all.end());
  return all;
}

}  // namespace inferometer
