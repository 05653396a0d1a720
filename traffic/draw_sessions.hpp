#pragma once
#include "model/result.hpp"
#include "model/traffic.hpp"
#include "traffic/spec.hpp"

namespace inferometer {

/// Makes sessions of drawn requests, in their order, and puts the shared prefix before them. Blocks get
/// identities as far as another request can have them too: a session's own from its history, those of the
/// prefix where they are of it alone.
///
/// traffic  requests whose prompts are what each turn adds; afterwards prompts hold the history, and every
///          turn but the first waits for the one before
/// errors   a prompt of more than 100,000,000 tokens
/// memory   8 B for each block of each session's history
[[nodiscard]] Done draw_sessions(const TrafficSpec& spec, std::uint64_t seed, Traffic& traffic);

}  // namespace inferometer
