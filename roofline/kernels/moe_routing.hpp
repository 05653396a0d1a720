#pragma once
#include <array>
#include <cstdint>

namespace inferometer {

/// Tile heights that kernels of grouped products choose among, in rows.
inline constexpr std::array<int, 6> moe_tile_rows{8, 16, 32, 64, 128, 256};

/// What routing tells the most loaded rank of a layer of experts to do; means over draws where it is random.
struct RoutedLoad {
  double assignments = 0;         ///< pairs of a token and an expert of this rank
  double active = 0;              ///< experts of this rank with a token or more
  double largest = 0;             ///< tokens of its busiest expert
  std::array<double, 6> tiles{};  ///< sum over experts of ceil(tokens / moe_tile_rows[i])
};

/// How tokens choose their experts.
struct Routing {
  std::int64_t tokens = 1, topk = 1, experts = 1;
  std::int64_t ranks = 1;  ///< over which the experts are spread, experts / ranks each
  double alpha = 0;        ///< 0: evenly; else the popularity of experts has density x^-alpha
  /// Whether tokens with fewer choices than there are experts agree on more of them, as below.
  bool agreeing = false;
  auto operator<=>(const Routing&) const = default;
};

/// Load of the timed rank. Evenly: the i-th choice of token t is expert (t + i ceil(E/k)) mod E (a smaller
/// batch takes steps of ceil(E/k)/T), seen from the rank of expert 0. By popularity: loads drawn in [1, 0.8
/// T] from density x^-alpha, scaled to T k, rounded, at most T each, what is missing given to the most
/// popular; the most loaded rank; means of draws with fixed seeds. Where tokens agree and T k <= E,
/// popularity is drawn in [0.01, 2] instead: nearly all loads round to 0, and what is missing goes one by one
/// to the largest loads, of equals the first experts, so that the choices of a single token are neighbours.
///
/// requires  1 <= topk <= experts, ranks >= 1
/// source    what the published measurements say about their routing; sampling by the inverse of the
///           distribution function: Devroye, "Non-Uniform Random Variate Generation", 1986, II.2
RoutedLoad route(const Routing& routing);

/// route(), computed once for each routing. Any thread may call it.
const RoutedLoad& routed(const Routing& routing);

}  // namespace inferometer
