#include "simulator/serving/routers.hpp"

#include <algorithm>
#include <array>

#include "model/result.hpp"

namespace inferometer {
namespace {

template <class Key>
std::size_t least(std::span<const ReplicaLoad> replicas, Key key) {
  const auto found =
      std::min_element(replicas.begin(), replicas.end(),
                       [&](const ReplicaLoad& a, const ReplicaLoad& b) { return key(a) < key(b); });
  return static_cast<std::size_t>(found - replicas.begin());
}

std::size_t round_robin(std::span<const ReplicaLoad> replicas, std::int64_t request) {
  return static_cast<std::size_t>(request) % replicas.size();
}
std::size_t least_loaded(std::span<const ReplicaLoad> replicas, std::int64_t) {
  return least(replicas,
               [](const ReplicaLoad& r) { return r.per_token * static_cast<double>(r.outstanding_tokens); });
}
std::size_t shortest_queue(std::span<const ReplicaLoad> replicas, std::int64_t) {
  return least(replicas, [](const ReplicaLoad& r) { return r.per_token * static_cast<double>(r.requests); });
}
/// Work that a replica would have with the request: what it has, less what its cache saves.
std::size_t prefix_aware(std::span<const ReplicaLoad> replicas, std::int64_t) {
  return least(replicas, [](const ReplicaLoad& r) {
    return r.per_token * static_cast<double>(r.outstanding_tokens - r.cached_prefix);
  });
}

constexpr std::array list{
    RouterRule{ReplicaRouter::round_robin, "each in turn", &round_robin, false},
    RouterRule{ReplicaRouter::least_loaded, "the one with the fewest tokens to compute or make",
               &least_loaded, true},
    RouterRule{ReplicaRouter::shortest_queue, "the one with the fewest requests", &shortest_queue, true},
    RouterRule{ReplicaRouter::prefix_aware,
               "the one with the fewest tokens to go, less those of the prompt it has", &prefix_aware, true}};

}  // namespace

std::span<const RouterRule> router_rules() { return list; }

const RouterRule& rule_of(ReplicaRouter router) {
  const auto found =
      std::find_if(list.begin(), list.end(), [&](const RouterRule& r) { return r.router == router; });
  require(found != list.end(), "a router is not in the list");
  return *found;
}

}  // namespace inferometer
