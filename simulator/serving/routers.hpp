#pragma once
#include <cstdint>
#include <span>
#include <string_view>

#include "model/serving.hpp"

namespace inferometer {

/// What a router sees of a replica when a request arrives, as if it were there already: so that of two idle
/// replicas the faster one has less to do.
struct ReplicaLoad {
  std::int64_t requests = 1;            ///< running and waiting
  std::int64_t outstanding_tokens = 0;  ///< that those still have to compute or make
  std::int64_t cached_prefix = 0;       ///< leading tokens of the request that are in its cache
  double per_token = 1;                 ///< time that a token takes it; any unit, the same for all replicas
};

/// A router decides from numbers alone. Ties go to the first replica. All but round-robin weigh what a
/// replica has to do by how long a token takes it.
struct RouterRule {
  ReplicaRouter router;
  std::string_view summary;
  /// request  number of the request, counting from 0
  std::size_t (*choose)(std::span<const ReplicaLoad> replicas, std::int64_t request);
  bool looks;  ///< whether it asks for loads at all
};
std::span<const RouterRule> router_rules();
const RouterRule& rule_of(ReplicaRouter router);

}  // namespace inferometer
