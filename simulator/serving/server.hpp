#pragma once
#include "model/case.hpp"
#include "model/kv_capacity.hpp"
#include "simulator/serving/simulate.hpp"

namespace inferometer {

/// Limits of Case::serving that are out of range or contradict each other, by their paths.
Errors check_serving(const Case& c);

/// The server that a Case describes: blocks from its memory budget, swapping over the host link.
///
/// budget  kv_budget() of the Case
/// errors  those of check_serving(), no room for the cache
[[nodiscard]] Result<ServerSettings> server_of(const Case& c, const KvBudget& budget);

}  // namespace inferometer
