#pragma once
#include <bit>
#include <cstdint>
#include <vector>

#include "model/units.hpp"

namespace inferometer {

/// Counts of durations in buckets 1/1024 of their size wide: quantiles to 0.1 %, the mean exactly.
///
/// source  the buckets of HdrHistogram (Tene): linear within each power of two
class DurationHistogram {
 public:
  void add(Nanoseconds t, std::int64_t times = 1) {
    if (times == 0) return;
    const std::size_t bucket = bucket_of(static_cast<std::uint64_t>(t.count()));
    if (bucket >= counts_.size()) counts_.resize(bucket + 1, 0);
    counts_[bucket] += times;
    count_ += times;
    sum_ += static_cast<double>(t.count()) * static_cast<double>(times);
  }
  void add(const DurationHistogram& other) {
    if (other.counts_.size() > counts_.size()) counts_.resize(other.counts_.size(), 0);
    for (std::size_t b = 0; b < other.counts_.size(); ++b) counts_[b] += other.counts_[b];
    count_ += other.count_;
    sum_ += other.sum_;
  }
  std::int64_t count() const { return count_; }
  Seconds mean() const { return Seconds{count_ == 0 ? 0 : sum_ / static_cast<double>(count_) * 1e-9}; }
  /// By nearest rank, the middle of its bucket; zero of none.
  Seconds quantile(double q) const {
    std::int64_t left = static_cast<std::int64_t>(q * static_cast<double>(count_ - 1) + 0.5);
    for (std::size_t b = 0; b < counts_.size(); ++b) {
      if (left < counts_[b]) return Seconds{0.5e-9 * static_cast<double>(start_of(b) + start_of(b + 1))};
      left -= counts_[b];
    }
    return Seconds{0};
  }

 private:
  static constexpr int bits = 10;
  static std::size_t bucket_of(std::uint64_t v) {
    if (v < (1U << bits)) return v;
    const int shift = 63 - std::countl_zero(v) - bits;
    return (static_cast<std::size_t>(shift + 1) << bits) + ((v >> shift) & ((1U << bits) - 1));
  }
  static std::uint64_t start_of(std::size_t bucket) {
    if (bucket < (1U << bits)) return bucket;
    const std::size_t shift = (bucket >> bits) - 1;
    return ((bucket & ((1U << bits) - 1)) + (1U << bits)) << shift;
  }

  std::vector<std::int64_t> counts_;
  std::int64_t count_ = 0;
  double sum_ = 0;
};

}  // namespace inferometer
