#pragma once
#include <cstdint>
#include <span>
#include <string_view>

#include "model/serving.hpp"

namespace inferometer {

/// What a router sees of a replica when a request arrives.
struct ReplicaLoad {
  std::int64_t requests = 0;            ///< running and waiting
  std::int64_t outstanding_tokens = 0;  ///< that those still have to compute or make
  std::int64_t cached_prefix = 0;       ///< leading tokens of the request that are in its cache
};

/// A router decides from numbers alone. Ties go to the first replica.
struct RouterRule {
  ReplicaRouter router;
  std::string_view summary;
  /// request  number of the request, counting from 0
  std::size_t (*choose)(std::span<const ReplicaLoad> replicas, std::int64_t request);
  bool looks;  ///< whether it asks for loads at all
};
const RouterRule& rule_of(ReplicaRouter router);

}  // namespace inferometer
