#include "roofline/kernels/moe_routing.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <mutex>
#include <numeric>
#include <shared_mutex>
#include <vector>

#include "model/seeded.hpp"

namespace inferometer {
namespace {

constexpr int draws = 24;

/// Uniform in (0, 1).
double uniform(std::uint64_t key, std::int64_t index) {
  return 0.5 + 0.5 * (static_cast<double>(seeded_uniform(key, static_cast<std::uint64_t>(index))) + 0x1p-24);
}

std::int64_t local_experts(const Routing& r) { return std::max<std::int64_t>(1, r.experts / r.ranks); }

/// Tokens of each expert of the rank of expert 0 when choices are spread evenly.
std::vector<std::int64_t> even_loads(const Routing& r) {
  std::vector<std::int64_t> loads(static_cast<std::size_t>(local_experts(r)), 0);
  const std::int64_t stride = (r.experts + r.topk - 1) / r.topk;
  const auto add = [&](std::int64_t expert, std::int64_t n) {
    if (expert < std::ssize(loads)) loads[static_cast<std::size_t>(expert)] += n;
  };
  const std::int64_t rounds = r.tokens >= stride ? r.tokens / r.experts : 0;
  for (std::int64_t e = 0; rounds > 0 && e < std::ssize(loads); ++e) add(e, rounds * r.topk);
  for (std::int64_t t = rounds * r.experts; t < r.tokens; ++t) {
    const std::int64_t first = r.tokens >= stride ? t : t * stride / r.tokens;
    for (std::int64_t i = 0; i < r.topk; ++i) add((first + i * stride) % r.experts, 1);
  }
  return loads;
}

/// A draw from density x^-alpha between low and high by the inverse of its distribution function.
double power_law(double u, double alpha, double low, double high) {
  const double a = 1 - alpha;
  if (std::abs(a) < 1e-9) return low * std::pow(high / low, u);
  return low * std::pow(1 + u * (std::pow(high / low, a) - 1), 1 / a);
}

/// Gives or takes single assignments until loads, each of 0 to `most`, sum up to `total`: gives to the most
/// popular first, takes from the least popular that have any, round and round.
void settle(std::vector<std::int64_t>& loads, const std::vector<double>& popularity, std::int64_t total,
            std::int64_t most) {
  std::vector<std::size_t> popular(loads.size());
  std::iota(popular.begin(), popular.end(), std::size_t{0});
  std::stable_sort(popular.begin(), popular.end(),
                   [&](auto a, auto b) { return popularity[a] > popularity[b]; });
  std::int64_t more = total;
  for (std::int64_t& n : loads) more -= n = std::min(n, most);
  while (more > 0) {
    for (auto e = popular.begin(); e != popular.end() && more > 0; ++e) {
      if (loads[*e] == most) continue;
      ++loads[*e];
      --more;
    }
  }
  while (more < 0) {
    for (auto e = popular.rbegin(); e != popular.rend() && more < 0; ++e) {
      if (loads[*e] == 0) continue;
      --loads[*e];
      ++more;
    }
  }
}

std::vector<std::int64_t> drawn_loads(const Routing& r, std::uint64_t key) {
  const bool agree = r.agreeing && r.tokens * r.topk <= r.experts;
  const double low = agree ? 0.01 : 1, high = agree ? 2 : 0.8 * static_cast<double>(r.tokens);
  std::vector<double> popularity(static_cast<std::size_t>(r.experts));
  double sum = 0;
  for (std::int64_t e = 0; e < r.experts; ++e)
    sum += popularity[static_cast<std::size_t>(e)] = power_law(uniform(key, e), r.alpha, low, high);
  std::vector<std::int64_t> loads(popularity.size());
  const double scale = static_cast<double>(r.tokens * r.topk) / sum;
  for (std::int64_t e = 0; e < r.experts; ++e) {
    const auto at = static_cast<std::size_t>(e);
    loads[at] = std::llround(popularity[at] * scale);
  }
  if (agree) popularity.assign(loads.begin(), loads.end());
  settle(loads, popularity, r.tokens * r.topk, r.tokens);
  return loads;
}

/// The loads of the experts of the rank with the largest sum.
std::vector<std::int64_t> busiest_rank(const std::vector<std::int64_t>& loads, std::int64_t local) {
  auto best = loads.begin();
  std::int64_t most = -1;
  for (auto at = loads.begin(); loads.end() - at >= local; at += local) {
    std::int64_t sum = 0;
    for (auto e = at; e != at + local; ++e) sum += *e;
    if (sum > most) {
      most = sum;
      best = at;
    }
  }
  return {best, best + local};
}

void add(RoutedLoad& mean, const std::vector<std::int64_t>& loads, double weight) {
  std::int64_t largest = 0;
  for (const std::int64_t n : loads) {
    largest = std::max(largest, n);
    mean.assignments += weight * static_cast<double>(n);
    mean.active += n > 0 ? weight : 0;
    for (std::size_t i = 0; i < moe_tile_rows.size(); ++i)
      mean.tiles[i] += weight * static_cast<double>((n + moe_tile_rows[i] - 1) / moe_tile_rows[i]);
  }
  mean.largest += weight * static_cast<double>(largest);
}

}  // namespace

RoutedLoad route(const Routing& r) {
  RoutedLoad mean;
  if (r.alpha == 0) {
    add(mean, even_loads(r), 1);
    return mean;
  }
  for (int d = 0; d < draws; ++d) {
    const std::uint64_t key = tensor_key(static_cast<std::uint64_t>(d), "routing");
    add(mean, busiest_rank(drawn_loads(r, key), local_experts(r)), 1.0 / draws);
  }
  return mean;
}

const RoutedLoad& routed(const Routing& routing) {
  static std::map<Routing, RoutedLoad> known;
  static std::shared_mutex guard;
  {
    const std::shared_lock lock(guard);
    if (const auto it = known.find(routing); it != known.end()) return it->second;
  }
  const RoutedLoad load = route(routing);
  const std::unique_lock lock(guard);
  return known.emplace(routing, load).first->second;
}

}  // namespace inferometer
