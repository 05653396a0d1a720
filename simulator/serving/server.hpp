#pragma once
#include "model/case.hpp"
#include "model/kv_capacity.hpp"
#include "simulator/serving/simulate.hpp"

namespace inferometer {

/// Limits of Case::serving that are out of range or contradict each other, by their paths.
Errors check_serving(const Case& c);

/// What an instance can send, or receive, of KV caches: serving.kv_link.bandwidth, or what the links of its
/// devices carry together; nothing where they have none.
BytesPerSecond kv_link_of(const Case& c);

/// The server that a Case describes: blocks from its memory budget, swapping over the host link.
///
/// budget  kv_budget() of the Case
/// errors  those of check_serving(), no room for the cache
[[nodiscard]] Result<ServerSettings> server_of(const Case& c, const KvBudget& budget);

}  // namespace inferometer
