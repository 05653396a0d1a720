#pragma once
#include <cstdint>
#include <memory>
#include <optional>

#include "model/units.hpp"

namespace inferometer::cpu {

/// Rates of reading by all threads.
struct ReadRates {
  BytesPerSecond memory, cache;
  /// What a stream wider than the cache finds of itself there, as a share of the cache.
  double retention = 0;
};

/// A byte of a stream of b bytes, read over and over, takes 1 / memory - h (1 / memory - 1 / cache), where h
/// = retention * capacity / b is found in the cache. Streams of 3 and 12 times the capacity, in turns, tell
/// memory and retention apart; medians of both.
///
/// cache  capacity of the last level [B]; at least 256 MiB are allocated
ReadRates read_rates(std::int64_t cache, int threads);

/// Looks now and then at how fast memory is read between steps: on a shared machine that changes within
/// minutes, by half and more.
class MemoryProbe {
 public:
  /// cache  capacity of the last level [B], of which four times as much is allocated when it first looks
  MemoryProbe(std::int64_t cache, int threads);
  ~MemoryProbe();
  /// Reads 128 MiB after every 0.2 s of steps, which is 1 to 2 % of the time on machines that this is for.
  void after_step(Seconds took);
  /// Mean over the time since this was last asked; nothing without a look since then.
  std::optional<BytesPerSecond> rate();

 private:
  std::unique_ptr<std::uint64_t[]> words_;  ///< read in turns, so that the cache holds none of them
  std::size_t count_ = 0, at_ = 0;
  int threads_;
  Seconds since_look_{0}, reading_{0};
  Bytes read_{0};
};

}  // namespace inferometer::cpu
