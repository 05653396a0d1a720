#pragma once
#include <cstdint>
#include <utility>
#include <vector>

#include "model/units.hpp"

namespace inferometer {

/// The cache of one prompt as its sender has it: `before` of it is there when a step begins, that step
/// computes `layered`, as much in each of its layers. Nothing is layered where the cache waits for the step's
/// end: start is that end then.
struct KvCargo {
  Bytes before{0}, layered{0};
  Nanoseconds start{0}, step{0};  ///< when the step begins, how long it takes
  std::int64_t layers = 1;
};

/// The links between instances: what leaves one and what enters one are two resources. A transfer takes the
/// sender's and the receiver's, one transfer at a time, at the slower one's rate.
///
/// A cargo of X = bytes / rate whose step takes T and computes a part Xc of it over L layers: layer l (from
/// 0) can leave at start + (l + 1) T / L, and from there on (L - l) Xc / L is to be sent. So the last byte is
/// there at
///   max over l of  start + (l + 1) T / L + (L - l) Xc / L
/// which is linear in l and largest at one of its ends:
///   start + max(T, Xc) + min(T, Xc) / L
/// and not before now + X. The links are busy while what was there before leaves, and for Xc from the first
/// layer on: the gaps between layers are another's.
///
/// ignores  several transfers that share a link at one time; routes and switches between instances
/// source   layer-wise transfer: Patel et al., "Splitwise", arXiv 2311.18677, section IV-C; one link an
///          instance: DistServe, arXiv 2401.09670, section 4
class KvLinks {
 public:
  /// rates  of each instance, each way
  KvLinks(std::vector<BytesPerSecond> rates, Seconds latency)
      : rates_(std::move(rates)),
        latency_(to_ticks(latency)),
        sends_(rates_.size(), false),
        receives_(rates_.size(), false) {}

  bool free(std::size_t from, std::size_t to) const { return !sends_[from] && !receives_[to]; }
  struct Times {
    Nanoseconds free{0};   ///< when the links are
    Nanoseconds there{0};  ///< when all of the cargo is
  };
  /// Begins to send a cargo, or to wait for its first layer.   requires  free(from, to), now >= cargo.start
  Times begin(std::size_t from, std::size_t to, const KvCargo& cargo, Nanoseconds now);
  void end(std::size_t from, std::size_t to) { sends_[from] = receives_[to] = false; }

 private:
  std::vector<BytesPerSecond> rates_;
  Nanoseconds latency_;
  std::vector<bool> sends_, receives_;  ///< of each instance, whether it does
};

}  // namespace inferometer
