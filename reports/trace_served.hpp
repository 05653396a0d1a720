#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "simulator/serving/run.hpp"

namespace inferometer {

/// A served run as events of a Perfetto trace: requests (waiting, their prompts, their tokens), the load of
/// an instance at work as counters, and in processes of their own what each part of each instance did: steps,
/// bubbles, swapping, exchanges between devices, and caches on their way. The first of each; the title says
/// where there are more.
///
/// process  the last number that is used
void add_served(nlohmann::ordered_json& events, int& process, const std::string& title,
                const ServingRun& run);

}  // namespace inferometer
