#pragma once
#include "model/case.hpp"
#include "model/structure.hpp"
#include "simulator/serving/simulate.hpp"

namespace inferometer {

/// The server that a Case describes: blocks from its memory budget, swapping over the host link.
///
/// errors  no room for the cache, limits that contradict each other, swapping without a host link
[[nodiscard]] Result<ServerSettings> server_of(const Case& c, const Structure& structure);

}  // namespace inferometer
