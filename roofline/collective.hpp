#pragma once
#include <cstdint>

#include "model/device.hpp"

namespace inferometer {

/// Ring all-reduce: 2 (n - 1) hops of latency, and 2 (n - 1) / n of the message over each link.
/// requires the device to have links when ranks > 1 (checked where a Case is made)
/// source   Patarasuk, Yuan, "Bandwidth optimal all-reduce algorithms for clusters of workstations", JPDC
/// 69(2), 2009
constexpr Seconds ring_all_reduce(Bytes message, std::int64_t ranks, Seconds latency,
                                  BytesPerSecond bandwidth) {
  if (ranks <= 1) return Seconds{0};
  const auto n = static_cast<double>(ranks);
  return 2 * (n - 1) * latency + 2 * (n - 1) / n * (message / bandwidth);
}

/// All-to-all by pairs: each rank exchanges with one other after another. (n - 1) hops of latency, and
/// (n - 1) / n of what a rank sends, its own part included, over its link.
/// requires as above
/// source   Thakur, Rabenseifner, Gropp, "Optimization of collective communication operations in MPICH",
///          IJHPCA 19(1), 2005 (pairwise exchange, of long messages)
constexpr Seconds pairwise_all_to_all(Bytes sent, std::int64_t ranks, Seconds latency,
                                      BytesPerSecond bandwidth) {
  if (ranks <= 1) return Seconds{0};
  const auto n = static_cast<double>(ranks);
  return (n - 1) * latency + (n - 1) / n * (sent / bandwidth);
}

}  // namespace inferometer
