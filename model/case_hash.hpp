#pragma once
#include <cstdint>

#include "model/case.hpp"
#include "model/traffic.hpp"

namespace inferometer {

/// A number that differs when anything differs that a prediction is made of: settings, network, device,
/// engine. Texts that only describe (sources, descriptions) do not count.
std::uint64_t case_hash(const Case& c);
/// Likewise of the requests; where they are from does not count.
std::uint64_t traffic_hash(const Traffic& traffic);

}  // namespace inferometer
