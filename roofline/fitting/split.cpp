#include "roofline/fitting/split.hpp"

#include <algorithm>
#include <map>

#include "model/seeded.hpp"

namespace inferometer {

std::vector<bool> fitted_part(const std::vector<Sample>& samples, double fraction, SplitBy by,
                              std::uint64_t seed) {
  std::map<std::uint64_t, std::vector<std::size_t>> in_order;  // groups by the hash that draws them
  for (std::size_t i = 0; i < samples.size(); ++i) {
    std::uint64_t key = mix(seed);
    if (by == SplitBy::row) {
      key = mix(key + i);
    } else {
      for (const std::int64_t size : shape_of(samples[i].call))
        key = mix(key ^ static_cast<std::uint64_t>(size));
    }
    in_order[key].push_back(i);
  }
  std::vector<bool> fitted(samples.size(), false);
  double left = fraction * static_cast<double>(samples.size());
  for (const auto& [key, members] : in_order) {
    if (left <= 0) break;
    for (const std::size_t i : members) fitted[i] = true;
    left -= static_cast<double>(members.size());
  }
  return fitted;
}

}  // namespace inferometer
