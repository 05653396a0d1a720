#pragma once
#include <cstdint>
#include <memory>
#include <optional>

#include "model/backend.hpp"

namespace inferometer::cpu {

/// Rates of reading by all threads.
struct ReadRates {
  BytesPerSecond memory, cache;
  /// What a stream wider than the cache finds of itself there when it is read again, as a share of the cache;
  /// 0 where the cache is hardly faster than memory, which tells nothing.
  double retention = 0;
};

/// Seconds a byte of two streams, and how many times as wide as the cache they are.
struct WideStreams {
  double narrow_time, narrow, wide_time, wide;
};
/// A byte of a stream `n` times as wide as the cache, read over and over, takes 1 / memory - retention / n *
/// (1 / memory - 1 / cache).   cache_time  of a byte that is found there [s]
ReadRates rates_of(const WideStreams& streams, double cache_time);

/// Measured by streams of 3 and 12 times the cache, in turns, and of a quarter of it; medians.
///
/// cache  capacity of the last level; 256 MiB to 4 GiB are read, and at most a quarter of what is available
ReadRates read_rates(Bytes cache, int threads);

/// Looks now and then at how fast memory is read between steps: on a shared machine that changes within
/// minutes, by half and more.
class MemoryProbe {
 public:
  /// cache  capacity of the last level: four times as much is allocated when it first looks, 256 MiB to 4 GiB
  MemoryProbe(Bytes cache, int threads);
  ~MemoryProbe();
  /// Looks from now on, and forgets what it saw.
  void begin();
  /// Reads 128 MiB after every 0.2 s of steps, between begin() and end() only.
  void after_step(Seconds took);
  /// Weighted by the time of the steps before each look: what long streams are read at over all of them.
  std::optional<MemoryReads> end();

 private:
  struct Buffer;
  std::unique_ptr<Buffer> buffer_;
  Bytes cache_;
  int threads_;
  bool looking_ = false;
  Seconds since_look_{0}, weight_{0};
  Bytes weighted_{0};
  std::int64_t looks_ = 0;
};

}  // namespace inferometer::cpu
